/** `store`: where what must outlive a restart is kept. */
import { z } from "zod";
import { section } from "./section.ts";

const MESSAGE = "must be sqlite: and a file's path, such as sqlite:./data/sluice.db";

function complain(text: string): [message: string, remedy: string] | undefined {
  if (/^postgres(ql)?:/i.test(text)) {
    return ["PostgreSQL is not supported yet", "Use sqlite:./data/sluice.db, or leave `store` out."];
  }
  const path = /^sqlite:(.*)$/s.exec(text)?.[1];
  if (path === undefined || path === "" || /[\p{Cc}?#]/u.test(path) || path.endsWith("/")) {
    return [MESSAGE, ""];
  }
  if (path.startsWith("//") && !path.startsWith("///")) {
    return ["names a host", "Write sqlite:relative/path or sqlite:/absolute/path."];
  }
  return path.startsWith(":")
    ? ["names no file, and what is counted must outlive a restart", "Write sqlite:./data/sluice.db."]
    : undefined;
}

/** A database's URL; comes out as the path of its file. */
const databaseUrl = z.string({ error: MESSAGE }).transform((text, context) => {
  const complaint = complain(text);
  if (complaint !== undefined) {
    context.addIssue({ code: "custom", message: complaint[0], params: { remedy: complaint[1] } });
    return z.NEVER;
  }
  return text.slice("sqlite:".length).replace(/^\/+/, "/");
});

/** `store`. */
export const storeSchema = section({
  url: databaseUrl
    .optional()
    .describe("`sqlite:` and a file's path; `data/sluice.db` below the working directory if left out"),
});

export type StoreDocument = z.output<typeof storeSchema>;
