/** What failures tell of nodes and credentials: who rests, for how long, and when a node is ejected. */
import { sharedNowMs } from "../lib/shared-clock.ts";
import type { Cooldowns } from "../balancing/cooldowns.ts";
import type { UpstreamError } from "../dialects/contract.ts";
import type { SluiceError } from "../lib/errors.ts";
import { isBreakOfNode, whatRests, type AttemptFailure } from "./attempt-failure.ts";
import type { CompiledModel, Endpoint } from "./engine.ts";

/** An attempt failed of which the client has seen nothing. @param model the one that it served */
export function learnFailure(
  cooldowns: Cooldowns,
  model: CompiledModel,
  endpoint: Endpoint,
  failure: AttemptFailure,
): void {
  const { nodeId } = endpoint;
  const now = sharedNowMs();
  // what was under way when the node was sent to rest tells nothing new
  const counts = failure.blamesNode && cooldowns.restsUntil(nodeId) <= now;
  const restingId = whatRests(endpoint, failure);
  if (restingId !== 0 && failure.restMs > 0) {
    cooldowns.rest(restingId, failure.restMs, now);
  }
  if (counts && cooldowns.failed(nodeId)) {
    eject(cooldowns, model, nodeId, now);
  }
}

/** An answer ended with this error after the client had seen its beginning. @param model the one that it served */
export function learnBreak(
  cooldowns: Cooldowns,
  model: CompiledModel,
  { nodeId }: Endpoint,
  error: SluiceError | UpstreamError,
): void {
  const now = sharedNowMs();
  if (isBreakOfNode(error) && cooldowns.restsUntil(nodeId) <= now && cooldowns.brokeOff(nodeId)) {
    eject(cooldowns, model, nodeId, now);
  }
}

/** Never more than half of the nodes of a priority are ejected. */
function eject(cooldowns: Cooldowns, model: CompiledModel, node: number, now: number): void {
  const group = model.priorities.find(({ endpoints }) => endpoints.some(({ nodeId }) => nodeId === node));
  const nodes = new Set(group?.endpoints.map(({ nodeId }) => nodeId));
  const resting = [...nodes].filter((id) => id !== node && cooldowns.restsUntil(id) > now).length;
  if (resting + 1 <= Math.floor(nodes.size / 2)) {
    cooldowns.eject(node, now);
  }
}
