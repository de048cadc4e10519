/** Preloaded into peers that offer no setting for the address they listen at: a port alone means loopback, not every interface. */
import { Server } from "node:net";

const listen = Server.prototype.listen;

function listenOnLoopback(this: Server, ...args: unknown[]): Server {
  const [port, second] = args;
  if (typeof port === "number" && typeof second !== "string") {
    const rest = second === undefined || typeof second === "function" ? args.slice(1) : args.slice(2);
    return Reflect.apply(listen, this, [port, "127.0.0.1", ...rest]);
  }
  return Reflect.apply(listen, this, args);
}

Server.prototype.listen = listenOnLoopback;
