/** Whether the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, either case) sends an origin through a proxy. */
export function usesProxy(url: string, environment: NodeJS.ProcessEnv): boolean {
  const { protocol, hostname, port } = new URL(url);
  const name = protocol === "https:" ? "https_proxy" : "http_proxy";
  if (!(environment[name] || environment[name.toUpperCase()])) {
    return false;
  }
  const exceptions = (environment["no_proxy"] ?? environment["NO_PROXY"] ?? "").split(/[\s,]+/).filter(Boolean);
  const effectivePort = port || (protocol === "https:" ? "443" : "80");
  return !exceptions.some((exception) => matches(exception.toLowerCase(), hostname.toLowerCase(), effectivePort));
}

function matches(exception: string, hostname: string, port: string): boolean {
  if (exception === "*") {
    return true;
  }
  const colon = exception.lastIndexOf(":");
  const hasPort = colon > 0 && /^\d+$/.test(exception.slice(colon + 1));
  if (hasPort && exception.slice(colon + 1) !== port) {
    return false;
  }
  const name = (hasPort ? exception.slice(0, colon) : exception).replace(/^\*?\./, "");
  return hostname === name || hostname.endsWith(`.${name}`);
}
