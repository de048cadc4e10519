import { InvalidArgumentError } from "commander";
import { parseListen } from "../config/schema/listen.ts";
import type { ListenConfig } from "../config/snapshot.ts";

/** Reads a command line's `HOST:PORT`. @throws InvalidArgumentError */
export function listenOption(text: string): ListenConfig {
  const listen = parseListen(text);
  if (listen === undefined) {
    throw new InvalidArgumentError("Give an address and a port, such as 127.0.0.1:8080, [::1]:8080 or :8080.");
  }
  return listen;
}
