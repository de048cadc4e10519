/** A process that shares limits with others: node bench/limits/machine.ts CONTENDER REDIS_PORT FOLDER_OF_PACKAGES. */
import { serveCommands } from "../protocol.ts";
import { startFlexibleMachine } from "./flexible-machine.ts";
import { startSluiceMachine } from "./sluice-machine.ts";

const [contender, redisPort, folder = ""] = process.argv.slice(2);
const handle = await (contender === "sluice"
  ? startSluiceMachine(Number(redisPort))
  : startFlexibleMachine(Number(redisPort), folder));
serveCommands(handle);
