/** The simulator's own paths: health, metrics, what it has seen, and faults set from outside. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { JsonValue } from "../lib/json.ts";
import { REDIRECT_PATH } from "./early-faults.ts";
import { FaultSyntaxError, parseFaultRule, type FaultRule } from "./faults.ts";
import { asObject, asStrings } from "./read.ts";
import type { RecordedRequest, SimulatorStats } from "./stats.ts";

/** What the paths show and change. */
export interface Controls {
  stats(): SimulatorStats;
  requests(): readonly RecordedRequest[];
  reset(): void;
  setFaults(rules: readonly FaultRule[]): void;
  metrics(): string;
  countRedirect(): void;
}

/** Answers if the path is one of these. */
export function handleControl(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  controls: Controls,
): boolean {
  switch (path) {
    case "/health":
      response.writeHead(200, { "content-length": "0" }).end();
      return true;
    case "/metrics":
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(controls.metrics());
      return true;
    case "/simulate/stats":
      sendJson(response, 200, controls.stats());
      return true;
    case "/simulate/requests":
      sendJson(response, 200, controls.requests().map(showRequest));
      return true;
    case "/simulate/reset":
      controls.reset();
      sendJson(response, 200, { reset: true });
      return true;
    case "/simulate/faults":
      readFaults(request, response, controls);
      return true;
    case REDIRECT_PATH:
      controls.countRedirect();
      sendJson(response, 200, { redirected: true });
      return true;
    default:
      return false;
  }
}

/** Takes `{"faults": ["status:503,times=2"]}`; an empty list ends all faults. */
function readFaults(request: IncomingMessage, response: ServerResponse, controls: Controls): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    try {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as JsonValue;
      const rules = asStrings(asObject(body)?.["faults"]).map(parseFaultRule);
      controls.setFaults(rules);
      sendJson(response, 200, { faults: rules.length });
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof FaultSyntaxError)) throw error;
      sendJson(response, 400, { error: error.message });
    }
  });
}

/** Bodies are shown as text, and as base64 for those who compare bytes. */
function showRequest(request: RecordedRequest): object {
  return { ...request, body: request.body.toString(), bodyBase64: request.body.toString("base64") };
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  const body = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}
