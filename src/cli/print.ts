/** Standard output for commands that print and end. */

let isGuarded = false;

/** Writes to standard output; a reader that has seen enough (`| head`) is not an error. */
export function print(text: string): void {
  if (!isGuarded) {
    isGuarded = true;
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") {
        throw error;
      }
    });
  }
  process.stdout.write(text);
}
