// Checks everything that a machine can check without running the program: npm run lint
//
// All checks run, whatever the first ones find; the last line is "N checks passed, N failed".
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

const checks = [
  { name: "lint", command: ["oxlint/bin/oxlint"], remedy: "each message says why; `oxlint --fix` mends some" },
  { name: "types", command: ["typescript/bin/tsc", "--noEmit"], remedy: undefined },
  { name: "unused code", command: ["knip/bin/knip.js", "--no-progress"], remedy: "remove what nothing uses" },
  { name: "format", command: ["oxfmt/bin/oxfmt", "--check", "."], remedy: "npm run format" },
];

const failed = checks.filter(({ name, command, remedy }) => {
  const [tool = "", ...args] = command;
  const path = join(root, "node_modules", tool);
  const { status } = spawnSync(process.execPath, [path, ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const verdict = status === 0 ? "passed" : `failed${remedy === undefined ? "" : ` (${remedy})`}`;
  console.log(`${status === 0 ? "✔" : "✖"} ${name} ${verdict}`);
  return status !== 0;
});

console.log(`${checks.length - failed.length} checks passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
