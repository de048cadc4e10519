/** The origin of the built-in test model: it answers inside the gateway, through the same path as any upstream. */
import type { Operation } from "../dialects/contract.ts";
import type { JsonObject } from "../lib/json.ts";
import { answerOffline } from "./offline.ts";
import type { Origin, UpstreamCall, UpstreamHandler, UpstreamRequest } from "./origin.ts";
import { parseJson } from "../lib/json-parse.ts";

const OPERATIONS: Readonly<Record<string, Operation>> = {
  "/chat/completions": "chat",
  "/completions": "completions",
  "/embeddings": "embeddings",
};

export const offlineOrigin: Origin = {
  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const call = { aborted: false };
    setImmediate(() => {
      if (!call.aborted) {
        handler.onSent();
        answer(request, handler, call);
      }
    });
    return {
      abort() {
        call.aborted = true;
      },
      pause() {},
      resume() {},
    };
  },
  close: () => Promise.resolve(),
};

function answer(request: UpstreamRequest, handler: UpstreamHandler, call: { readonly aborted: boolean }): void {
  const operation = OPERATIONS[request.path] ?? "chat";
  // the gateway has checked that the body is JSON before it calls anybody
  const body = parseJson(request.body?.toString() ?? "{}") as JsonObject;
  const given = answerOffline(operation, body);
  if (given.kind === "json") {
    handler.onHead(given.status, { "content-type": "application/json" });
    handler.onData(Buffer.from(JSON.stringify(given.body)));
  } else {
    handler.onHead(200, { "content-type": "text/event-stream" });
    for (const chunk of given.chunks) {
      if (call.aborted) {
        return;
      }
      handler.onData(Buffer.from(chunk));
    }
  }
  if (!call.aborted) {
    handler.onEnd();
  }
}
