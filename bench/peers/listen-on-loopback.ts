/** Preloaded into peers that offer no setting for the address they listen at: a port alone means loopback, not every interface. */
import { Server } from "node:net";

const listen = Object.getOwnPropertyDescriptor(Server.prototype, "listen")?.value as (...args: unknown[]) => Server;

function listenOnLoopback(this: Server, ...args: unknown[]): Server {
  const [port, second] = args;
  const bare = typeof port === "number" && typeof second !== "string";
  const rest = second === undefined || typeof second === "function" ? args.slice(1) : args.slice(2);
  return listen.call(this, ...(bare ? [port, "127.0.0.1", ...rest] : args));
}

Server.prototype.listen = listenOnLoopback;
