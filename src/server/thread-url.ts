/** Where the entries of threads are: in development modules are `.ts`, in a release `.js`. */
export function threadUrl(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
}
