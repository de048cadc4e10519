// That a clone can install on every platform and from every registry.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

interface Lockfile {
  packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }>;
}

const { packages } = JSON.parse(readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8")) as Lockfile;

test("the lockfile names no registry, so that each machine uses its own", () => {
  const resolved = Object.values(packages).flatMap((entry) => entry.resolved ?? []);
  assert.deepEqual(resolved, [], "set omit-lockfile-registry-resolved=true and write package-lock.json again");
});

test("the lockfile knows the packages of every platform, or npm ci refuses it", () => {
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
    ),
  );
  assert.deepEqual(missing, [], "run: node scripts/complete-lockfile.ts");
});
