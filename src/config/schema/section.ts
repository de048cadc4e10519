/** Maps of the configuration: unknown keys are errors that name the nearest valid key. */
import { z } from "zod";
import { didYouMean } from "../nearest.ts";

/** Separates message and remedy in one text, since zod carries only text. */
const REMEDY_SEPARATOR = "\u0001";
/** Separates the texts of several unknown keys of one map. */
const KEY_SEPARATOR = "\u0002";

/** What a map's error says about one key. */
export interface KeyComplaint {
  readonly message: string;
  readonly remedy: string;
}

/** Keys that a map does not take, though one may well expect it to, and what to say about them. */
export type RefusedKeys = Readonly<Record<string, KeyComplaint>>;

/** A key of the design that this version has not got: accepting and ignoring it would be a lie. */
export function notYet(what: string): KeyComplaint {
  return { message: `${what} not supported yet`, remedy: "Remove it." };
}

/** Takes apart the text that `section` made for zod's `unrecognized_keys`, in the order of its keys. */
export function readKeyComplaints(text: string): readonly KeyComplaint[] {
  return text.split(KEY_SEPARATOR).map((part) => {
    const [message = "", remedy = ""] = part.split(REMEDY_SEPARATOR);
    return { message, remedy };
  });
}

/** The text about keys that a map does not have. */
export function complainAboutKeys(keys: readonly string[], valid: readonly string[], refused: RefusedKeys): string {
  return keys.map((key) => complainAboutKey(key, valid, refused).join(REMEDY_SEPARATOR)).join(KEY_SEPARATOR);
}

function complainAboutKey(key: string, valid: readonly string[], refused: RefusedKeys): [string, string] {
  const complaint = Object.hasOwn(refused, key) ? refused[key] : undefined;
  return complaint === undefined
    ? [
        "there is no such key",
        valid.length === 0 ? "Remove it." : didYouMean(key, valid, `Valid keys: ${valid.join(", ")}.`),
      ]
    : [complaint.message, complaint.remedy];
}

/** A map with exactly these keys. */
export function section<Shape extends z.ZodRawShape>(
  shape: Shape,
  refused: RefusedKeys = {},
): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? complainAboutKeys(issue.keys ?? [], Object.keys(shape), refused) : undefined,
  });
}
