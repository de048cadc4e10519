// Completes package-lock.json with the platform packages that the registry at hand does not carry.
//
// A company's mirror often holds only the platforms it uses. `npm install` against it writes a lockfile without the
// others, and `npm ci` then refuses that lockfile everywhere ("Missing: … from lock file"). Platform packages are
// optional and carry os and cpu in their name, so their entries can be written without seeing them: npm installs them only
// on a machine that they fit. Such an entry has no integrity hash; npm adds it when it first meets the package.
//
// Run it after every change of dependencies: node scripts/complete-lockfile.ts
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface LockEntry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

interface Lockfile {
  packages: Record<string, LockEntry>;
}

const platformInName =
  /\b(?<os>aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-(?<cpu>arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|x64)(?:-(?<abi>\w+))?$/;

const lockPath = join(import.meta.dirname, "..", "package-lock.json");
const lock = JSON.parse(readFileSync(lockPath, "utf8")) as Lockfile;
const added: string[] = [];

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (lock.packages[key] !== undefined || lock.packages[`${path}/${key}`] !== undefined) continue;
    lock.packages[key] = platformEntry(name, version, entry);
    added.push(`${name}@${version}`);
  }
}

if (added.length > 0) {
  lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(lockPath, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(added.length === 0 ? "package-lock.json is complete" : `added to package-lock.json:\n${added.join("\n")}`);

function platformEntry(name: string, version: string, parent: LockEntry): LockEntry {
  const platform = platformInName.exec(name)?.groups;
  if (platform?.["os"] === undefined || platform["cpu"] === undefined || !/^\d/.test(version)) {
    throw new Error(
      `${name}@${version} is missing from package-lock.json and its name shows no platform: add it by hand`,
    );
  }
  const libc = { gnu: "glibc", musl: "musl" }[platform["abi"] ?? ""];
  return {
    version,
    cpu: [platform["cpu"]],
    ...(parent.dev === true ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc: [libc] }),
    optional: true,
    os: [platform["os"]],
  };
}
