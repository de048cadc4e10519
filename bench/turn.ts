import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** An abstract socket: the system takes it back however its owner ends. */
const NAME = "\0sluice-bench";
const PATIENCE_MS = 60 * 60_000;
const POLL_MS = 2_000;

/** Waits until no other benchmark runs on this machine: two at a time would measure each other. Held until the process ends. */
export async function takeTurn(say: (text: string) => void): Promise<void> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  let said = false;
  while (!(await tryTurn())) {
    if (Date.now() > giveUpAt) {
      throw new Error("another benchmark has been running on this machine for an hour");
    }
    if (!said) {
      said = true;
      say("another benchmark runs on this machine: waiting for its end");
    }
    await sleep(POLL_MS);
  }
}

function tryTurn(): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") {
        resolve(false);
      } else {
        reject(error);
      }
    });
    server.listen(NAME, () => resolve(true));
  });
}
