/** The filters there are: an explicit list, no registration by import. */
import type { ZodType } from "zod";
import type { JsonObject } from "../lib/json.ts";
import type { ModelFilter, ModelFilterDefinition, RequestFilter, RequestFilterDefinition } from "./contract.ts";
import { params } from "./model/params/params.ts";
import { thinkTags } from "./model/think_tags/think_tags.ts";
import { bodyLimit } from "./request/body_limit/body_limit.ts";
import { cors } from "./request/cors/cors.ts";
import { namedTemplates } from "./request/named_templates/named_templates.ts";
import { promptDecorator } from "./request/prompt_decorator/prompt_decorator.ts";
import { promptTemplate } from "./request/prompt_template/prompt_template.ts";
import { v1ChatTemplate } from "./request/v1_chat_template/v1_chat_template.ts";

/** A filter definition whose options' type only it knows. */
export interface FilterFactory<Filter> {
  readonly name: string;
  readonly schema: ZodType;
  /** Validates the options and makes the filter. @throws ZodError */
  create(options: JsonObject): Filter;
}

interface Definition<Options, Filter> {
  readonly name: string;
  readonly schema: ZodType<Options>;
  create(options: Options): Filter;
}

function factory<Options, Filter>(definition: Definition<Options, Filter>): FilterFactory<Filter> {
  const { name, schema } = definition;
  return { name, schema, create: (options) => definition.create(schema.parse(options)) };
}

const requestFilter = <Options>(definition: RequestFilterDefinition<Options>): FilterFactory<RequestFilter> =>
  factory(definition);
const modelFilter = <Options>(definition: ModelFilterDefinition<Options>): FilterFactory<ModelFilter> =>
  factory(definition);

/** Filters that a route's `middlewares` may name. */
export const REQUEST_FILTERS: readonly FilterFactory<RequestFilter>[] = [
  requestFilter(cors),
  requestFilter(bodyLimit),
  requestFilter(namedTemplates),
  requestFilter(promptDecorator),
  requestFilter(promptTemplate),
  requestFilter(v1ChatTemplate),
];

/** Filters that a target's `filters` may name. */
export const MODEL_FILTERS: readonly FilterFactory<ModelFilter>[] = [modelFilter(thinkTags), modelFilter(params)];
