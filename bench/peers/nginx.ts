import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnGroup, waitForPort } from "../processes.ts";
import type { InstalledPeer, PeerKind, RunningPeer, StartContext } from "./contract.ts";
import { freePort, run } from "./install.ts";

/** nginx as a plain reverse proxy: Debian's package, unpacked and not installed, so that it needs no root and starts no service. */
export const nginx: PeerKind = {
  name: "nginx",
  async install(cacheFolder) {
    const folder = join(cacheFolder, "nginx");
    const program = join(folder, "usr/sbin/nginx");
    if (!existsSync(program)) {
      mkdirSync(folder, { recursive: true });
      await run(["apt-get", "download", "-q", "nginx"], folder);
      const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
      await run(["dpkg", "-x", archive ?? "nginx.deb", "."], folder);
    }
    const version = /nginx\/([\d.]+)/.exec(await run([program, "-v"], folder))?.[1] ?? "unknown";
    return installed(program, version);
  },
};

function installed(program: string, version: string): InstalledPeer {
  return {
    name: "nginx",
    version: `${version} (Debian)`,
    features: "proxy_pass, keep-alive upstream; no authentication, no log, no metrics; proxy_buffering off for streams",
    start: (context) => start(program, context),
  };
}

async function start(program: string, context: StartContext): Promise<RunningPeer> {
  const [wholePort, streamPort] = [await freePort(), await freePort()];
  const file = join(context.folder, "nginx.conf");
  mkdirSync(join(context.folder, "temp"), { recursive: true });
  writeFileSync(file, configuration(context, wholePort, streamPort));
  const group = spawnGroup({
    command: [program, "-p", context.folder, "-c", file, "-e", "stderr"],
    cores: context.cores,
    cwd: context.folder,
    logFile: join(context.folder, "nginx.log"),
  });
  await waitForPort(group, streamPort, 10_000);
  return {
    group,
    target: (traffic) => ({
      port: traffic === "whole" ? wholePort : streamPort,
      path: "/v1/chat/completions",
      headers: { authorization: "Bearer sk-bench" },
    }),
  };
}

function configuration(context: StartContext, wholePort: number, streamPort: number): string {
  const temp = join(context.folder, "temp");
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `
${user}
daemon off;
worker_processes ${context.workers};
worker_rlimit_nofile 65536;
error_log stderr crit;
pid ${join(context.folder, "nginx.pid")};
events { worker_connections 32768; }
http {
  access_log off;
  client_body_temp_path ${temp}/body;
  proxy_temp_path ${temp}/proxy;
  fastcgi_temp_path ${temp}/fastcgi;
  uwsgi_temp_path ${temp}/uwsgi;
  scgi_temp_path ${temp}/scgi;
  sendfile on;
  tcp_nodelay on;
  keepalive_timeout 600s;
  keepalive_requests 100000000;
  client_max_body_size 20m;
  client_body_buffer_size 256k;
  upstream model {
    server 127.0.0.1:${context.upstreamPort};
    keepalive 512;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
  }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_read_timeout 600s;
  server {
    listen 127.0.0.1:${wholePort} backlog=4096;
    location / { proxy_pass http://model; }
  }
  server {
    listen 127.0.0.1:${streamPort} backlog=4096;
    location / { proxy_pass http://model; proxy_buffering off; }
  }
}
`;
}
