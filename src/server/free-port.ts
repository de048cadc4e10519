/** Whether a port is free to listen on. */
import { createServer } from "node:net";
import type { ListenConfig } from "../config/snapshot.ts";

/**
 * With SO_REUSEPORT a second gateway could share the port unnoticed; a probe without it cannot.
 * @throws the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL)
 */
export async function requireFreePort(listen: ListenConfig): Promise<void> {
  if (listen.port === 0) {
    return;
  }
  const probe = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  probe.once("error", reject);
  probe.listen({ host: listen.host, port: listen.port, exclusive: true }, () => {
    probe.close(() => {
      resolve();
    });
  });
  await promise;
}
