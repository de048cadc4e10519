/** `sluice schema`: what the configuration file may hold, for editors and readers. */
import { Command } from "commander";
import { configJsonSchema } from "../config/json-schema.ts";
import { configReference } from "../config/reference.ts";
import { print } from "./print.ts";

/** Prints the JSON Schema, or the reference table. */
export function schemaCommand(): Command {
  return new Command("schema")
    .description("print the JSON Schema of the configuration file, for editors")
    .option("--markdown", "print a table of all keys instead")
    .addHelpText(
      "after",
      "\nSave it as sluice.schema.json and begin the file with\n  # yaml-language-server: $schema=sluice.schema.json",
    )
    .action(({ markdown }: { readonly markdown?: true }) => {
      const text = markdown === true ? configReference() : `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
      print(text);
    });
}
