/** `server`, `admin` and `accessLog`: the process itself. */
import { z } from "zod";
import { duration } from "./duration.ts";
import { keyHash, PLAIN_KEY } from "./key-hash.ts";
import { listen } from "./listen.ts";
import { integer, name } from "./scalars.ts";
import { section } from "./section.ts";
import { size } from "./size.ts";

const KIB = 1024;
const GIB = 1024 ** 3;

const tlsSchema = section({
  cert: z.string().min(1).describe("Certificate chain: a file's path, or the PEM text"),
  key: z.string().min(1).describe("Private key: a file's path, or the PEM text"),
});

/** `server`: how clients are served. */
export const serverSchema = section({
  listen: listen.prefault("0.0.0.0:8080").describe("Where clients connect"),
  workers: integer(0, 1_024).prefault(0).describe("Worker threads; 0: one a core"),
  drainTimeout: duration.prefault("10m").describe("How long running requests may go on at shutdown"),
  maxBodyBytes: size(1, GIB).prefault("20MiB").describe("Largest request body"),
  maxBufferedBytes: size(0, 1024 * GIB)
    .prefault(0)
    .describe(
      "Request bodies in memory at once, a worker, and as much of whole answers; 0: an eighth of the memory, shared by the workers",
    ),
  maxHeaderBytes: size(1 * KIB, 1024 * KIB)
    .prefault("32KiB")
    .describe("Largest request header"),
  headersTimeout: duration.prefault("15s").describe("From connection to the end of the request's header"),
  requestTimeout: duration.prefault("2m").describe("From a request's first byte to the last of its body"),
  keepAliveTimeout: duration
    .prefault("75s")
    .describe("How long a connection is kept that is idle, or whose client takes nothing of its answer"),
  maxConnections: integer(1, 1_000_000)
    .prefault(20_000)
    .describe("Open client connections, a worker; more are closed at once"),
  heartbeat: duration.prefault("15s").describe("Silence in a stream after which a comment is sent to keep it open"),
  tls: tlsSchema.optional().describe("Serve HTTPS"),
});

const adminTokenSchema = section(
  {
    name: name.describe("Whose it is; shown in the log and with what was changed"),
    hash: keyHash.describe("`sha256:` and the token's SHA-256 in hexadecimal, as `sluice keys new` prints it"),
  },
  { token: PLAIN_KEY, key: PLAIN_KEY, value: PLAIN_KEY },
);

/** `admin`: health, metrics, usage, and limits at run time. */
export const adminSchema = section({
  listen: listen.prefault("127.0.0.1:8081").describe("Where operators connect"),
  tokens: z
    .array(adminTokenSchema)
    .max(1_000)
    .default([])
    .describe("Who may use /admin/v1; without any, everybody may read, and whoever is on this machine may write"),
});

/** `accessLog`: one JSON line a request. */
export const accessLogSchema = section({
  output: z.string().min(1).default("stdout").describe("`stdout`, `none`, or a file's path"),
});
