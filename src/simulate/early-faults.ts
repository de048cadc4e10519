/** Faults that take the place of an answer. */
import type { Exchange } from "./exchange.ts";
import { faultNumber, type Fault } from "./faults.ts";
import { deliverJson } from "./deliver.ts";
import type { ErrorWording } from "./surface.ts";
import { VendorError } from "./vendor-error.ts";

const DEFAULT_RETRY_AFTER_SECONDS = "1";
/** Where a redirect leads: a path of the simulator that counts who comes. */
export const REDIRECT_PATH = "/simulate/redirected";

/** A fault's own numbers for a context that is too long. */
const OVERFLOW = { prompt: 262_960, answer: 4096, limit: 200_000 };

/** Commits the fault if it is one of these. Returns false if there is still an answer to give. */
export function commitEarlyFault(exchange: Exchange, wording: ErrorWording, headers: readonly string[]): boolean {
  const { fault, response, socket } = exchange;
  if (fault === undefined) return false;
  switch (fault.name) {
    case "status":
    case "error-200":
      refuse(exchange, wording, headers, fault);
      return true;
    case "context-overflow": {
      const shape = fault.value === "" ? "openai" : fault.value;
      const error = wording.contextOverflow(OVERFLOW, shape);
      sendError(exchange, error.status, wording, headers, error);
      return true;
    }
    case "redirect":
      response.writeHead(faultNumber(fault, 307), { location: REDIRECT_PATH, "content-length": "0" });
      response.end();
      return true;
    case "close":
      exchange.breakOff();
      return true;
    case "reset":
      exchange.reset();
      return true;
    case "hang-head":
      exchange.phase = "hanging";
      return true;
    case "reset-head":
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: applic");
      setImmediate(() => {
        exchange.reset();
      });
      return true;
    case "garbage":
      socket.write(Buffer.from([0x16, 0x03, 0x01, 0x00, 0xff, 0x0d, 0x0a, 0x00, 0x21, 0x0d, 0x0a, 0x0d, 0x0a]));
      exchange.breakOff();
      return true;
    default:
      return commitOddBody(exchange, fault);
  }
}

/** A 2xx whose body is not what it should be. */
function commitOddBody(exchange: Exchange, fault: Fault): boolean {
  const { response } = exchange;
  switch (fault.name) {
    case "html": {
      const page = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Be right back.</body></html>";
      response.writeHead(faultNumber(fault, 200), { "content-type": "text/html; charset=utf-8" });
      response.end(page);
      return true;
    }
    case "not-json":
      response.writeHead(200, { "content-type": "application/json" });
      response.end('{"id": "broken", "choices": [');
      return true;
    case "empty":
      response.writeHead(200, { "content-type": "application/json", "content-length": "0" });
      response.end();
      return true;
    default:
      return false;
  }
}

function refuse(exchange: Exchange, wording: ErrorWording, headers: readonly string[], fault: Fault): void {
  const status = fault.name === "status" ? faultNumber(fault, 500) : faultNumber(fault, 503);
  const error = new VendorError(status, `simulated fault: status ${status}`);
  const retryAfter = fault.retryAfter ?? (status === 429 ? DEFAULT_RETRY_AFTER_SECONDS : "");
  const all = retryAfter === "" ? headers : [...headers, "retry-after", retryAfter];
  sendError(exchange, fault.name === "status" ? status : 200, wording, all, error);
}

/** Sends an error in the vendor's words. */
export function sendError(
  exchange: Exchange,
  status: number,
  wording: ErrorWording,
  headers: readonly string[],
  error: VendorError,
): void {
  deliverJson(exchange, status, headers, wording.encodeError(error, exchange.requestId));
}
