/** Folds the model filters of a target into one object with one function a hook; a hook nobody has stays undefined. */
import type { EventFilter, ModelFilter } from "../filters/contract.ts";
import type { ComposedModelFilters } from "./engine.ts";

/** Requests pass the filters in the order of the configuration, answers in the opposite order. */
export function composeModelFilters(filters: readonly ModelFilter[]): ComposedModelFilters {
  const backwards = filters.toReversed();
  const request = filters.flatMap((filter) => filter.request?.bind(filter) ?? []);
  const wireRequest = filters.flatMap((filter) => filter.wireRequest?.bind(filter) ?? []);
  const answer = backwards.flatMap((filter) => filter.answer?.bind(filter) ?? []);
  const eventFilters = backwards.flatMap((filter) => filter.createEventFilter?.bind(filter) ?? []);
  return {
    request: inTurn(request),
    wireRequest: inTurn(wireRequest),
    answer: inTurn(answer),
    createEventFilter: eventFilters.length === 0 ? undefined : () => chain(eventFilters.map((create) => create())),
  };
}

function inTurn<Arguments extends unknown[]>(
  hooks: readonly ((...args: Arguments) => void)[],
): ((...args: Arguments) => void) | undefined {
  if (hooks.length < 2) {
    return hooks[0];
  }
  return (...args) => {
    for (const hook of hooks) {
      hook(...args);
    }
  };
}

function chain(filters: readonly EventFilter[]): EventFilter {
  return filters.reduceRight<EventFilter>(
    (next, filter) => (event, emit) => {
      filter(event, (passed) => {
        next(passed, emit);
      });
    },
    (event, emit) => {
      emit(event);
    },
  );
}
