/** How long answers of the authority are waited for. */
import { AuthorityLostError } from "./authority.ts";

/**
 * The promise's value, if it comes in time. After a stall of our own an answer that came in time is still unread, so the
 * event loop reads its sockets once more before it is judged.
 * @throws AuthorityLostError `timeout`, or what the promise is rejected with
 */
export async function withinMs<Value>(limitMs: number, promise: Promise<Value>): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    setImmediate(() => {
      setImmediate(() => {
        const remedy = "Look at its load and the network, or raise `state.timeout`.";
        reject(new AuthorityLostError("timeout", `Redis: no answer within ${limitMs} ms. ${remedy}`));
      });
    });
  }, limitMs);
  promise.catch(() => undefined); // an answer that comes too late may well be an error
  late.catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
