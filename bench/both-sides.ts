/**
 * The helper process of the bench: load generator and upstream on one event loop, so that between them they can keep
 * their core awake. What it does comes over the IPC channel (protocol.ts); it ends when the bench is gone.
 */
import { handleLoad } from "./load.ts";
import { serveCommands } from "./protocol.ts";
import type { Rest, ToBothSides } from "./protocol.ts";
import { handleUpstream, listen } from "./upstream.ts";

let rest: Rest = "asleep";

function stayAwake(): void {
  if (rest === "awake") {
    setImmediate(stayAwake);
  }
}

async function handle(message: ToBothSides): Promise<unknown> {
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

await listen(Number(process.argv[2]));
serveCommands(handle);
