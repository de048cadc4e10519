/** What may stand between the gateway and a vendor: the vendor's TLS front, and a company's proxy. */
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { connect, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { Certificate } from "./certificates.ts";
import type { Ending } from "./harness.ts";

/** TLS in front of a port. */
export interface TlsFront {
  readonly port: number;
  /** For each connection so far, whether its session was resumed. */
  readonly resumed: readonly boolean[];
  /** For each connection so far, the server name that was asked for. */
  readonly names: readonly (string | false | null)[];
  /** Ends the connections that are open. */
  endConnections(): void;
}

/** Ends TLS and passes the bytes on to a port of loopback. */
export async function startTlsFront(t: Ending, certificate: Certificate, target: number): Promise<TlsFront> {
  const resumed: boolean[] = [];
  const names: (string | false | null)[] = [];
  const open = new Set<Socket>();
  const server = createTlsServer({ ...certificate, ALPNProtocols: ["http/1.1"] }, (socket: TLSSocket) => {
    resumed.push(socket.isSessionReused());
    names.push(socket.servername);
    join(socket, connect(target, "127.0.0.1"), open);
  });
  server.on("tlsClientError", () => {});
  const port = await listen(t, server, open);
  return {
    port,
    resumed,
    names,
    endConnections() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** A proxy that runs. */
export interface Proxy {
  readonly port: number;
  /** What was asked of it: `CONNECT host:port`, or a method and a whole URL. */
  readonly asked: readonly string[];
  readonly authorizations: readonly (string | undefined)[];
  /** Answers every request with this status from now on; undefined: serves. */
  refuse(status: number | undefined): void;
}

/** A forward proxy: tunnels (CONNECT), and requests in absolute form. */
export async function startProxy(t: Ending): Promise<Proxy> {
  const asked: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const open = new Set<Socket>();
  let refusal: number | undefined;
  const note = (request: IncomingMessage): void => {
    asked.push(`${request.method} ${request.url}`);
    authorizations.push(request.headers["proxy-authorization"]);
  };
  const server = createServer((request, response) => {
    note(request);
    if (refusal !== undefined) {
      response.writeHead(refusal).end();
      return;
    }
    const { "proxy-authorization": _own, ...headers } = request.headers;
    const forward = httpRequest(request.url ?? "", { method: request.method ?? "", headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    forward.on("error", () => response.destroy());
    response.on("close", () => forward.destroy());
    request.pipe(forward);
  });
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    note(request);
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const target = new URL(`http://${request.url}`);
    const upstream = connect(Number(target.port), target.hostname, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      join(socket, upstream, open);
    });
    upstream.on("error", () => socket.destroy());
  });
  const port = await listen(t, server, open);
  return {
    port,
    asked,
    authorizations,
    refuse(status) {
      refusal = status;
    },
  };
}

/** Passes bytes both ways, and ends both when one ends. */
function join(client: Socket, upstream: Socket, open: Set<Socket>): void {
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    open.add(one);
    one.on("error", () => {});
    one.on("close", () => {
      open.delete(one);
      other.destroy();
    });
    one.pipe(other);
  }
}

/** Listens on loopback until the tests have ended. */
async function listen(t: Ending, server: Server, open: Set<Socket>): Promise<number> {
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}
