/** Base URLs of providers. */
import { z } from "zod";

/** A URL that is not usable as a provider's, and what to do. */
interface UrlComplaint {
  readonly message: string;
  readonly remedy: string;
}

function complain(text: string): UrlComplaint | undefined {
  if (text.startsWith("discovery://")) {
    return { message: "discovery is not supported yet", remedy: "Name the nodes by URL." };
  }
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    return { message: "must be a URL that begins with http:// or https://", remedy: "" };
  }
  if (url.username !== "" || url.password !== "") {
    return { message: "holds a user name or password", remedy: "Put secrets under `credentials` or `headers`." };
  }
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(text)) {
    return { message: "has a query or fragment", remedy: "Give only scheme, host, port and path." };
  }
  return undefined;
}

/** A provider's URL, normalised, without a slash at its end. */
export const baseUrl = z.string().transform((text, context) => {
  const complaint = complain(text);
  if (complaint !== undefined) {
    context.addIssue({ code: "custom", message: complaint.message, params: { remedy: complaint.remedy } });
    return z.NEVER;
  }
  return new URL(text).href.replace(/\/+$/, "");
});
