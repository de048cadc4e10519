/** Certificates for tests, made by openssl: an authority of our own, and servers' certificates for localhost signed by it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ending } from "./harness.ts";

/** A certificate and its key, as PEM texts. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority that tests trust. */
export interface Authority {
  /** Its own certificate, in a file for NODE_EXTRA_CA_CERTS. */
  readonly file: string;
  readonly cert: string;
  /** Makes a certificate for these names; localhost and 127.0.0.1 if none are given. */
  issue(commonName: string, names?: string): Certificate;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Its files are removed when the test ends. */
export function createAuthority(t: Ending): Authority {
  const directory = mkdtempSync(join(tmpdir(), "sluice-ca-"));
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const openssl = (...parameters: string[]): void => {
    execFileSync("openssl", parameters, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  };
  const read = (name: string): string => readFileSync(join(directory, name), "utf8");
  openssl("req", "-x509", ...NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test CA");
  return {
    file: join(directory, "ca.pem"),
    cert: read("ca.pem"),
    issue(commonName, names = "DNS:localhost,IP:127.0.0.1") {
      writeFileSync(join(directory, "extensions"), `subjectAltName=${names}\n`);
      openssl("req", ...NEW_KEY, "-keyout", "server.key", "-out", "server.csr", "-subj", `/CN=${commonName}`);
      const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions"];
      openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", ...signing);
      return { cert: read("server.pem"), key: read("server.key") };
    },
  };
}
