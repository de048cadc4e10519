/** Settings that a running process keeps: it listens once, and its listeners are made once. */
import { isDeepStrictEqual } from "node:util";
import type { ProcessSettings } from "./messages.ts";

/** The settings that a process acts on only when it starts, by their names in the file. */
function settingsOfStart({
  gateway,
  admin,
  server,
  store,
  needsStore,
  state,
}: ProcessSettings): Readonly<Record<string, unknown>> {
  return {
    gateway,
    "admin.listen": admin.listen,
    "server.listen": server.listen,
    "server.workers": server.workers,
    "server.maxBufferedBytes": server.maxBufferedBytes,
    "server.maxHeaderBytes": server.maxHeaderBytes,
    "server.headersTimeout": server.headersTimeoutMs,
    "server.requestTimeout": server.requestTimeoutMs,
    "server.keepAliveTimeout": server.keepAliveTimeoutMs,
    "server.maxConnections": server.maxConnections,
    "server.tls": server.tls === undefined ? "off" : "on",
    "store.url": needsStore ? store.path : undefined,
    "state.redis": state?.redis ?? "none",
    "state.timeout": state?.timeoutMs,
  };
}

/** Names of settings that are now others than those the process was started with, and wait for a restart. */
export function restartNeeded(started: ProcessSettings, now: ProcessSettings): string[] {
  const before = settingsOfStart(started);
  return (
    Object.entries(settingsOfStart(now))
      // what had no value yet (a store that nothing needed) is taken up when it gets one
      .filter(
        ([name, value]) => value !== undefined && before[name] !== undefined && !isDeepStrictEqual(value, before[name]),
      )
      .map(([name]) => name)
  );
}
