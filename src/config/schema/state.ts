/** `state`: what several machines share. */
import { z } from "zod";
import { duration } from "./duration.ts";
import { redisNode, redisUrl } from "./redis-url.ts";
import { integer } from "./scalars.ts";
import { section } from "./section.ts";

const SHORTEST_TIMEOUT_MS = 5;
const LONGEST_TIMEOUT_MS = 5_000;
const TIMEOUT = "must be from 5ms to 5s";

const nodes = z.array(redisNode).min(1, "must not be empty").max(100);
const username = z.string().min(1, "must not be empty").max(256);
const password = z.string().min(1, "must not be empty").max(4_096);

const sentinelSchema = section({
  nodes: nodes.describe("Addresses of the sentinels, `host:port`; the port is 26379 if left out"),
  master: z.string().min(1, "must not be empty").max(256).describe("The name that the sentinels know the master by"),
  username: username.optional().describe("The sentinels' own user, if they want one"),
  password: password.optional().describe("The sentinels' own password, if they want one"),
});

const tlsSchema = section({
  ca: z
    .string()
    .min(1)
    .optional()
    .describe("Certificates to trust instead of the system's: a file's path, or PEM text"),
  cert: z.string().min(1).optional().describe("Client certificate: a file's path, or PEM text"),
  key: z.string().min(1).optional().describe("The client certificate's key: a file's path, or PEM text"),
  serverName: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe("The name that the certificate must be for; the host's if left out"),
});

const redisSchema = section({
  url: redisUrl.optional().describe("One server: `redis://host:6379/0`, `rediss://…` for TLS"),
  nodes: nodes.optional().describe("Some nodes of a cluster, `host:port`; it names the others itself"),
  sentinel: sentinelSchema.optional().describe("Sentinels that know the master"),
  username: username.optional().describe("The user (ACL); `default` if left out"),
  password: password.optional().describe("The password; write ${NAME} or ${file:path}"),
  database: integer(0, 9_999).optional().describe("Number of the database, where sentinels name the master"),
  tls: tlsSchema.optional().describe("Use TLS, also `{}`; `rediss://` does by itself"),
});

/** `state`. */
export const stateSchema = section({
  redis: z
    .union([redisUrl, redisSchema], { error: "must be a URL such as redis://host:6379/0, or a map" })
    .describe("The Redis (or Valkey) by which machines share limits"),
  timeout: duration
    .refine((value) => value >= SHORTEST_TIMEOUT_MS && value <= LONGEST_TIMEOUT_MS, TIMEOUT)
    .prefault("50ms")
    .describe("The longest that an answer of Redis is waited for"),
});

export type StateDocument = z.output<typeof stateSchema>;
export type RedisDocument = z.output<typeof redisSchema>;
