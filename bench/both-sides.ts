/**
 * The helper process of the bench: load generator and upstream on one event loop, so that between them they can keep
 * their core awake. What it does comes over the IPC channel (protocol.ts); it ends when the bench is gone.
 */
import { handleLoad } from "./load.ts";
import type { Envelope, Reply, Rest } from "./protocol.ts";
import { handleUpstream, listen } from "./upstream.ts";

let rest: Rest = "asleep";

function stayAwake(): void {
  if (rest === "awake") {
    setImmediate(stayAwake);
  }
}

async function handle(message: Envelope): Promise<unknown> {
  if (message.to === "load") {
    return handleLoad(message.command);
  }
  if (message.to === "upstream") {
    return handleUpstream(message.command);
  }
  const before = rest;
  rest = message.command;
  if (before === "asleep") {
    stayAwake();
  }
  return undefined;
}

const send = process.send?.bind(process);
if (send === undefined) {
  throw new Error("this is a helper process of the bench: run bench/run.ts");
}
process.on("disconnect", () => process.exit(0));
process.on("message", (message: Envelope) => {
  handle(message).then(
    (value) => send({ id: message.id, value } satisfies Reply),
    (error: unknown) => send({ id: message.id, error: String(error) } satisfies Reply),
  );
});
await listen(Number(process.argv[2]));
send({ id: 0 } satisfies Reply);
