/** `sluice keys`: API keys for the configuration file. */
import { Command } from "commander";
import { newKey } from "../config/keys.ts";
import { print } from "./print.ts";

/** `sluice keys new`: prints a key once, and what to put into the file. */
export function keysCommand(): Command {
  const command = new Command("keys").description("make API keys");
  command
    .command("new")
    .description("make a key and print it, once, with its hash for the configuration file")
    .option("--name <name>", "the key's name in the file", "my-key")
    .action(({ name }: { readonly name: string }) => {
      print(describeNewKey(name));
    });
  return command;
}

function describeNewKey(name: string): string {
  const { key, hash } = newKey();
  return [
    `key:  ${key}`,
    `hash: sha256:${hash}`,
    "",
    "The key is not stored anywhere and cannot be shown again. Put the hash under a consumer's `keys`:",
    "",
    "    keys:",
    `      - { name: ${JSON.stringify(name)}, hash: "sha256:${hash}" }`,
    "",
  ].join("\n");
}
