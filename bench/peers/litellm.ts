import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MODEL } from "../payloads.ts";
import { spawnGroup, waitForPort } from "../processes.ts";
import type { InstalledPeer, PeerKind, RunningPeer, StartContext } from "./contract.ts";
import { freePort, run } from "./install.ts";

const VERSION = "1.109.1";
const KEY = "sk-bench-0123456789abcdef0123456789abcdef";

/** Requirements that play no part here (a CA bundle, database migrations): where an index lacks the version asked for, the newest it has will do. */
const LOOSENED = ["certifi", "litellm-proxy-extras"];

/** Prints the requirements of litellm[proxy], with the loosened ones without their version. */
const REQUIREMENTS = `
from importlib.metadata import requires
from pip._vendor.packaging.requirements import Requirement
for line in requires("litellm"):
    requirement = Requirement(line)
    marker = requirement.marker
    if marker is None or marker.evaluate({"extra": ""}) or marker.evaluate({"extra": "proxy"}):
        requirement.marker = None
        print(requirement.name if requirement.name in ${JSON.stringify(LOOSENED)} else requirement)
`;

/** The Python peer, from PyPI, in a virtual environment. */
export const litellm: PeerKind = {
  name: "litellm",
  async install(cacheFolder) {
    const folder = join(cacheFolder, `litellm-${VERSION}`);
    const done = join(folder, "installed");
    if (!existsSync(done)) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      writeFileSync(done, await install(folder));
    }
    return installed(join(folder, "bin/litellm"));
  },
};

async function install(folder: string): Promise<string> {
  await run(["python3", "-m", "venv", folder], folder);
  const pip = join(folder, "bin/pip");
  try {
    await run([pip, "install", "-q", `litellm[proxy]==${VERSION}`], folder);
    return "as released\n";
  } catch {
    await run([pip, "install", "-q", "--no-deps", `litellm==${VERSION}`], folder);
    const requirements = join(folder, "requirements.txt");
    writeFileSync(requirements, await run([join(folder, "bin/python"), "-c", REQUIREMENTS], folder));
    await run([pip, "install", "-q", "-r", requirements], folder);
    return `versions loosened: ${LOOSENED.join(", ")}\n`;
  }
}

function installed(program: string): InstalledPeer {
  return {
    name: "litellm",
    version: VERSION,
    features: "proxy with a master key (authentication on), 1 worker, no database, no metrics",
    start: (context) => start(program, context),
  };
}

async function start(program: string, context: StartContext): Promise<RunningPeer> {
  const port = await freePort();
  const file = join(context.folder, "litellm.yaml");
  // JSON is YAML.
  const params = {
    model: `openai/${MODEL}`,
    api_base: `http://127.0.0.1:${context.upstreamPort}/v1`,
    api_key: "sk-upstream",
  };
  writeFileSync(file, JSON.stringify({ model_list: [{ model_name: MODEL, litellm_params: params }] }));
  const group = spawnGroup({
    command: [program, "--config", file, "--host", "127.0.0.1", "--port", String(port), "--num_workers", "1"],
    cores: context.cores,
    cwd: context.folder,
    env: {
      LITELLM_MASTER_KEY: KEY,
      LITELLM_MODE: "PRODUCTION",
      LITELLM_LOG: "ERROR",
      // What it would otherwise fetch when it starts.
      LITELLM_LOCAL_MODEL_COST_MAP: "True",
      NO_PROXY: "127.0.0.1",
    },
    logFile: join(context.folder, "litellm.log"),
  });
  await waitForPort(group, port, 120_000);
  return {
    group,
    target: () => ({ port, path: "/v1/chat/completions", headers: { authorization: `Bearer ${KEY}` } }),
  };
}
