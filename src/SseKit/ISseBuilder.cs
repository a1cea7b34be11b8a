using Microsoft.Extensions.DependencyInjection;

namespace SseKit;

/// <summary>What <c>AddSse()</c> returns, for packages to extend.</summary>
public interface ISseBuilder
{
    /// <summary>The app's services.</summary>
    IServiceCollection Services { get; }
}
