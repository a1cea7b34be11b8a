using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing.Patterns;

namespace SseKit.Streaming;

/// <summary>
/// A parameter of a route whose handler takes the whole request: without it a document of the API would have a placeholder in a path and not
/// say what it stands for. The text of a path is a string, whatever its constraint.
/// </summary>
internal sealed class RouteParameter(RoutePatternParameterPart part, MethodInfo handler) : IParameterBindingMetadata
{
    public string Name => part.Name;

    public bool HasTryParse => false;

    public bool HasBindAsync => false;

    public bool IsOptional => part.IsOptional || part.Default is not null;

    public ParameterInfo ParameterInfo { get; } = new Text(part.Name, handler);

    // What ApiExplorer and the generators ask of a parameter; the base class refuses to answer the rest.
    private sealed class Text : ParameterInfo
    {
        public Text(string name, MethodInfo handler)
        {
            NameImpl = name;
            ClassImpl = typeof(string);
            MemberImpl = handler;
        }

        public override bool HasDefaultValue => false;

        public override object DefaultValue => DBNull.Value;

        public override object RawDefaultValue => DBNull.Value;

        public override IList<CustomAttributeData> GetCustomAttributesData() => [];
    }
}
