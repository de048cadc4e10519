// Builds the release into dist/: npm run build (npm pack does it by itself)
//
// tsc strips the types and turns `.ts` imports into `.js`; nothing is bundled, so stack traces and files stay readable.
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const output = join(root, "dist");
const command = join(output, "main.js");

rmSync(output, { recursive: true, force: true });
const tsc = join(root, "node_modules/typescript/bin/tsc");
const { status } = spawnSync(process.execPath, [tsc, "--project", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
if (status !== 0) {
  process.exitCode = 1;
} else if (!readFileSync(command, "utf8").startsWith("#!/usr/bin/env node\n")) {
  console.error('dist/main.js does not start with "#!/usr/bin/env node": src/main.ts has to');
  process.exitCode = 1;
} else {
  chmodSync(command, 0o755);
}
