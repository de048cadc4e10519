/** PEM texts in the configuration: written out, or named by path. */
import type { BuildContext } from "./build.ts";
import type { DocumentPath } from "./problem.ts";
import { SubstitutionError } from "./substitute.ts";

/** @param path where it stands @param marker what it must hold @returns the text; empty if there is a finding */
export function readPem(written: string, path: DocumentPath, marker: string, context: BuildContext): string {
  try {
    const text = written.includes("-----BEGIN") ? written : context.substitutor.readFile(written);
    if (!text.includes(marker)) {
      context.findings.add(path, `is not PEM with "${marker}"`);
    }
    return text;
  } catch (error) {
    if (!(error instanceof SubstitutionError)) {
      throw error;
    }
    context.findings.add(path, error.message, error.remedy);
    return "";
  }
}
