/** What a failure of Redis means to operators: which kind it is, and what to do. */
import { AuthorityLostError, type LossReason } from "./authority.ts";

interface Meaning {
  readonly reason: LossReason;
  readonly remedy: string;
}

const AUTHENTICATION: Meaning = {
  reason: "authentication",
  remedy: "Check `username` and `password` under `state.redis`.",
};
const PERMISSION: Meaning = {
  reason: "permission",
  remedy:
    "Allow the user: ~{sluice:* +@hash +@sortedset +eval +evalsha +time +pexpire (see docs/configuration.md, State).",
};
const UNREACHABLE: Meaning = {
  reason: "unreachable",
  remedy: "Check that Redis runs and that `state.redis` names its address.",
};
const CLUSTER: Meaning = { reason: "clusterDown", remedy: "Some slots are served by no node: see `CLUSTER INFO`." };
const MODE: Meaning = {
  reason: "clusterDown",
  remedy: "Redis runs as a cluster: name its nodes under `state.redis.nodes` instead of `url`.",
};
const TLS: Meaning = {
  reason: "tls",
  remedy: "Check `state.redis.tls`: `ca` must have signed the certificate, and it must be for the name that is called.",
};

/** By the first word of an error reply. */
const REPLIES: Readonly<Record<string, Meaning>> = {
  WRONGPASS: AUTHENTICATION,
  NOAUTH: { reason: "authentication", remedy: "Redis wants a password: give `password` under `state.redis`." },
  NOPERM: PERMISSION,
  READONLY: { reason: "readOnly", remedy: "This is a replica: name the master, or use `sentinel` to find it." },
  MISCONF: { reason: "readOnly", remedy: "Redis cannot save to its disk and takes no writes: see its log." },
  NOREPLICAS: { reason: "readOnly", remedy: "Redis has too few replicas to take writes." },
  OOM: { reason: "outOfMemory", remedy: "Redis has reached `maxmemory`: raise it." },
  BUSY: { reason: "busy", remedy: "A script of somebody else blocks Redis: see `SCRIPT KILL`." },
  LOADING: { reason: "loading", remedy: "Redis is reading its data; it answers when it has." },
  MASTERDOWN: { reason: "loading", remedy: "The replica has lost its master." },
  CLUSTERDOWN: CLUSTER,
  TRYAGAIN: { reason: "clusterDown", remedy: "The cluster is moving slots." },
  MOVED: MODE,
  ASK: MODE,
  CROSSSLOT: MODE,
};

/** By `code` of an error of the system. */
const CODES: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: UNREACHABLE,
  ECONNRESET: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ENOTFOUND: UNREACHABLE,
  EAI_AGAIN: UNREACHABLE,
  ETIMEDOUT: UNREACHABLE,
  EPIPE: UNREACHABLE,
  EPROTO: TLS,
};

/** The failure with its kind and remedy; one that is known already stays as it is. */
export function describeFailure(error: unknown): AuthorityLostError {
  if (error instanceof AuthorityLostError) {
    return error;
  }
  const inner = innermost(error);
  const meaning = meaningOf(inner);
  return new AuthorityLostError(meaning.reason, `Redis: ${textOf(inner)}. ${meaning.remedy}`, error);
}

/** Clients wrap what happened in errors of their own, several deep. */
function innermost(error: unknown): Error {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    const next: unknown =
      current instanceof AggregateError
        ? current.errors.at(-1)
        : (current.cause ?? Reflect.get(current, "originalError"));
    if (!(next instanceof Error)) {
      return current;
    }
    current = next;
  }
  return current instanceof Error ? current : new Error(String(current));
}

function meaningOf(error: Error): Meaning {
  const code: unknown = Reflect.get(error, "code");
  if (typeof code === "string") {
    const known = CODES[code];
    if (known !== undefined) {
      return known;
    }
    if (/^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO)/.test(code)) {
      return TLS;
    }
  }
  const { message } = error;
  // Redis 6 wraps what a script met: ERR Error running script (call to f_…): @user_script:7: -READONLY You can't …
  const reply = REPLIES[/^(?:ERR Error running script .*?@user_script: ?\d+: )?-?([A-Z]+)\b/.exec(message)?.[1] ?? ""];
  if (reply !== undefined) {
    return reply;
  }
  if (/invalid password|without any password|wrong number of arguments for 'auth'|invalid username/i.test(message)) {
    return AUTHENTICATION;
  }
  if (/can't run this command|can't access at least one of the keys/i.test(message)) {
    return PERMISSION; // within a script, Redis 7.0
  }
  if (/cluster support disabled/i.test(message)) {
    return { reason: "clusterDown", remedy: "Redis is no cluster: give `state.redis.url` instead of `nodes`." };
  }
  if (/max number of clients/i.test(message)) {
    return { reason: "refused", remedy: "Raise `maxclients` of Redis." };
  }
  const isConnection = /Client|Socket|Connection|RootNodes|Offline|Disconnects/.test(
    error.name + error.constructor.name,
  );
  return isConnection || /closed|connect|unavailable|sentinel/i.test(message)
    ? UNREACHABLE
    : { reason: "refused", remedy: "See the log of Redis." };
}

const MAX_TEXT = 200;

/** Addresses stay, operators need them; what follows in a script's error is its own text. */
function textOf({ message, name }: Error): string {
  const text = (message === "" ? name : message).split(/ script: |\n/)[0] ?? "";
  return text.slice(0, MAX_TEXT).replace(/[.\s]+$/, "");
}
