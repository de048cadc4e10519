// Loaded into every test process: ends a test file that hangs, and says what it hangs on. The test runner's own timeout
// covers tests, but not a process that stays alive after its tests because something was left open.
import { after } from "node:test";
import { isMainThread } from "node:worker_threads";

/** The longest that one test file may take, in milliseconds. */
const fileTimeoutMs = 300_000;

/** How long a process may stay alive after its last test, in milliseconds. */
const lingerMs = 10_000;

// Workers inherit this import; their process's main thread is the one to watch.
if (isMainThread) {
  endIn(fileTimeoutMs, "is still running");
  after(() => endIn(lingerMs, "stays alive after its last test"));
}

function endIn(delayMs: number, what: string): void {
  const end = () => {
    const open = process.getActiveResourcesInfo().join(", ");
    console.error(`this test file ${what} after ${delayMs / 1000} s; left open: ${open}`);
    process.exit(1);
  };
  setTimeout(end, delayMs).unref();
}
