// The server of the better-sse rows. Commands and answers as in Server/BenchServer.cs.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The packages lie beside the sources, not beside the build's copy of this file.
const resolve = createRequire(process.argv[2] + "/package.json").resolve;
const { createSession, createChannel } = await import(pathToFileURL(resolve("better-sse")).href);

const filling = "y".repeat(68);
const channel = createChannel();
const server = createServer(async (request, response) => {
  const session = await createSession(request, response, { keepAlive: Number(process.argv[3]) * 1000 });
  channel.register(session);
});
server.listen({ port: 0, host: "0.0.0.0", backlog: 512 }, () => console.log(server.address().port));

let sequence = 0;
const publish = () => {
  const text = `${String(++sequence).padStart(10, "0")} ${String(process.hrtime.bigint()).padStart(20, "0")} ${filling}`;
  channel.broadcast(text, "message");
};

for await (const line of createInterface({ input: process.stdin })) {
  const words = line.split(" ");
  switch (words[0]) {
    case "usage": {
      const { user, system } = process.resourceUsage ? { user: process.resourceUsage().userCPUTime, system: process.resourceUsage().systemCPUTime } : {};
      console.log(`${user + system} 0`);
      break;
    }
    case "memory":
      global.gc?.();
      global.gc?.();
      console.log(`${process.memoryUsage().rss} ${process.memoryUsage().heapUsed}`);
      break;
    case "publish":
      for (let i = 0; i < Number(words[2]); i++) publish();
      console.log(sequence);
      break;
  }
}
process.exit(0);
