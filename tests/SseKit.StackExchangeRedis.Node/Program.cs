// A node of an app as a process of its own, for tests that kill it. Its arguments: its address, and where Redis is.
using SseKit.StackExchangeRedis.Tests;

// Redis never trims, so that tests know all that it ever had. The node keeps little, so that its clients read Redis.
await using var node = await Node.StartAsync(args[1], o => o.MaxEventsPerTopic = 20, o => o.MaxEvents = 1_000_000, args[0]);
Console.WriteLine("ready");

// The pipe closes when the tests end, however they end.
await Console.In.ReadToEndAsync();
