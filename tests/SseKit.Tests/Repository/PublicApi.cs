using System.Globalization;
using System.Reflection;
using System.Text;

namespace SseKit.Tests.Repository;

/// <summary>What a user of an assembly can see of it, as text: one line a member, sorted, so that a change shows as a diff.</summary>
internal static class PublicApi
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<Type, string> Keywords = new (Type Type, string Keyword)[]
    {
        (typeof(void), "void"), (typeof(object), "object"), (typeof(string), "string"), (typeof(bool), "bool"),
        (typeof(char), "char"), (typeof(byte), "byte"), (typeof(sbyte), "sbyte"), (typeof(short), "short"),
        (typeof(ushort), "ushort"), (typeof(int), "int"), (typeof(uint), "uint"), (typeof(long), "long"),
        (typeof(ulong), "ulong"), (typeof(float), "float"), (typeof(double), "double"), (typeof(decimal), "decimal"),
    }.ToDictionary(pair => pair.Type, pair => pair.Keyword);

    /// <summary>Compares with the reviewed file, or writes it where <c>SSEKIT_UPDATE_API=1</c> asks for that.</summary>
    public static void AssertReviewed(Assembly assembly, string reviewedFile)
    {
        var actual = Render(assembly);
        if (Environment.GetEnvironmentVariable("SSEKIT_UPDATE_API") == "1")
        {
            File.WriteAllText(reviewedFile, actual);
            return;
        }

        var reviewed = File.ReadAllText(reviewedFile).ReplaceLineEndings("\n");
        if (actual == reviewed)
        {
            return;
        }

        var differences = actual.Split('\n').Except(reviewed.Split('\n')).Select(line => "+ " + line.Trim())
            .Concat(reviewed.Split('\n').Except(actual.Split('\n')).Select(line => "- " + line.Trim()))
            .DefaultIfEmpty("(the same lines in another order)");
        Assert.Fail($"""
            The public API is not the one in {reviewedFile}:
            {string.Join('\n', differences)}
            If that is intended, run this test once with the environment variable SSEKIT_UPDATE_API=1
            and let the change of PublicApi.txt be reviewed.
            """);
    }

    public static string Render(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().Where(t => !t.FullName!.Contains('<', StringComparison.Ordinal)).OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            text.Append(Header(type)).Append('\n');
            foreach (var line in Members(type).OrderBy(line => line, StringComparer.Ordinal))
            {
                text.Append("    ").Append(line).Append('\n');
            }
            text.Append('\n');
        }
        return text.ToString().TrimEnd('\n') + "\n";
    }

    private static string Header(Type type)
    {
        var marks = string.Concat(type.GetCustomAttributesData()
            .Where(a => a.AttributeType.Name is "ObsoleteAttribute" && IsObsolete(type) || a.AttributeType.Name is "ExperimentalAttribute" or "FlagsAttribute")
            .Select(a => $"[{a.AttributeType.Name[..^"Attribute".Length]}] "));
        var name = type.Namespace + "." + DefinitionName(type);

        if (type.IsSubclassOf(typeof(Delegate)))
        {
            var invoke = type.GetMethod("Invoke")!;
            return $"{marks}delegate {ReturnType(invoke)} {name}({Parameters(invoke)}){Constraints(type.GetGenericArguments())}";
        }

        var kind = type switch
        {
            { IsEnum: true } => "enum",
            { IsInterface: true } => "interface",
            { IsValueType: true } => (Has(type, "IsReadOnlyAttribute") ? "readonly " : "") + (type.IsByRefLike ? "ref struct" : "struct"),
            { IsAbstract: true, IsSealed: true } => "static class",
            { IsAbstract: true } => "abstract class",
            { IsSealed: true } => "sealed class",
            _ => "class",
        };
        // Nothing in the metadata says "record", but only records have this.
        if (type.GetMethod("PrintMembers", Declared, [typeof(StringBuilder)]) is not null)
        {
            kind = kind.Replace("class", "record", StringComparison.Ordinal).Replace("struct", "record struct", StringComparison.Ordinal);
        }

        var bases = new List<string>();
        if (type.IsEnum)
        {
            bases.Add(Name(Enum.GetUnderlyingType(type)));
        }
        else
        {
            if (type.IsClass && type.BaseType is { } parent && parent != typeof(object))
            {
                bases.Add(Name(parent));
            }
            // What the base class or another interface already brings would only repeat itself here.
            var inherited = type.GetInterfaces().SelectMany(i => i.GetInterfaces()).Concat(type.BaseType?.GetInterfaces() ?? []).ToHashSet();
            bases.AddRange(type.GetInterfaces().Where(i => i.IsVisible && !inherited.Contains(i)).Select(i => Name(i)).Order(StringComparer.Ordinal));
        }
        return $"{marks}{kind} {name}{(bases.Count > 0 ? " : " + string.Join(", ", bases) : "")}{Constraints(type.GetGenericArguments())}";
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsSubclassOf(typeof(Delegate)))
        {
            yield break;
        }

        foreach (var member in type.GetMembers(Declared))
        {
            var mark = IsObsolete(member) ? "[Obsolete] " : Has(member, "ExperimentalAttribute") ? "[Experimental] " : "";
            var line = member switch
            {
                FieldInfo field when type.IsEnum => field.IsStatic ? $"{field.Name} = {Convert.ToInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture)}" : null,
                FieldInfo field => Field(field),
                ConstructorInfo constructor when IsSeen(constructor) =>
                    $"{Access(constructor)}{type.Name.Split('`')[0]}({Parameters(constructor)})",
                PropertyInfo property => Property(property),
                EventInfo @event when @event.AddMethod is { } add && IsSeen(add) =>
                    $"{Modifiers(add)}event {Name(@event.EventHandlerType!, Annotations.Of(@event))} {@event.Name}",
                MethodInfo method when IsSeen(method) && !(method.IsSpecialName && !method.Name.StartsWith("op_", StringComparison.Ordinal)) && !Has(method, "CompilerGeneratedAttribute") =>
                    Method(method),
                _ => null,
            };
            if (line is not null)
            {
                yield return mark + line;
            }
        }
    }

    private static string? Field(FieldInfo field)
    {
        if (!(field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly))
        {
            return null;
        }
        var access = field.IsPublic ? "" : "protected ";
        var type = Name(field.FieldType, Annotations.Of(field));
        return field.IsLiteral ? $"{access}const {type} {field.Name} = {Literal(field.GetRawConstantValue(), field.FieldType)}"
            : $"{access}{(field.IsStatic ? "static " : "")}{(field.IsInitOnly ? "readonly " : "")}{type} {field.Name}";
    }

    private static string? Property(PropertyInfo property)
    {
        var accessors = new[] { property.GetMethod, property.SetMethod }.OfType<MethodInfo>().Where(IsSeen).ToArray();
        if (accessors.Length == 0)
        {
            return null;
        }
        // An accessor may be narrower than its property: { get; protected set; }.
        var widest = accessors.FirstOrDefault(a => a.IsPublic) ?? accessors[0];
        var list = string.Concat(accessors.Select(a =>
            (a.IsPublic == widest.IsPublic ? "" : "protected ")
            + (a == property.GetMethod ? "get; "
                : a.ReturnParameter.GetRequiredCustomModifiers().Any(m => m.Name == "IsExternalInit") ? "init; " : "set; ")));
        var index = property.GetIndexParameters();
        var required = Has(property, "RequiredMemberAttribute") ? "required " : "";
        var byRef = property.PropertyType.IsByRef ? Has(property, "IsReadOnlyAttribute") ? "ref readonly " : "ref " : "";
        return $"{Modifiers(widest)}{required}{byRef}{Name(property.PropertyType, Annotations.Of(property))} "
            + $"{(index.Length > 0 ? $"this[{Parameters(index)}]" : property.Name)} {{ {list}}}";
    }

    private static string Method(MethodInfo method)
    {
        var returns = ReturnType(method);
        var name = method.Name switch
        {
            "op_Implicit" => $"implicit operator {returns}",
            "op_Explicit" => $"explicit operator {returns}",
            var n when n.StartsWith("op_", StringComparison.Ordinal) => $"{returns} operator {n["op_".Length..]}",
            var n => $"{returns} {n}",
        };
        if (method.IsGenericMethodDefinition)
        {
            name += $"<{string.Join(", ", method.GetGenericArguments().Select(a => a.Name))}>";
        }
        var self = Has(method, "ExtensionAttribute") ? "this " : "";
        return $"{Modifiers(method)}{name}({self}{Parameters(method)}){Constraints(method.IsGenericMethodDefinition ? method.GetGenericArguments() : [])}";
    }

    private static bool IsSeen(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Access(MethodBase method) => method.IsPublic ? "" : "protected ";

    private static string Modifiers(MethodInfo method)
    {
        var virtuality = method.DeclaringType!.IsInterface ? (method.IsAbstract ? "" : "virtual ")
            : method.IsVirtual && method.GetBaseDefinition() != method ? (method.IsFinal ? "sealed override " : "override ")
            : method.IsAbstract ? "abstract "
            : method.IsVirtual && !method.IsFinal ? "virtual "
            : "";
        return Access(method) + (method.IsStatic ? "static " : "") + virtuality;
    }

    private static string ReturnType(MethodInfo method)
    {
        var byRef = method.ReturnType.IsByRef ? Has(method.ReturnParameter, "IsReadOnlyAttribute") ? "ref readonly " : "ref " : "";
        return byRef + Name(method.ReturnType, Annotations.Of(method.ReturnParameter));
    }

    private static string Parameters(MethodBase method) => Parameters(method.GetParameters());

    private static string Parameters(ParameterInfo[] parameters) => string.Join(", ", parameters.Select(parameter =>
    {
        var direction = parameter.IsOut ? "out "
            : !parameter.ParameterType.IsByRef ? ""
            : Has(parameter, "RequiresLocationAttribute") ? "ref readonly "
            : parameter.IsIn ? "in " : "ref ";
        var spread = parameter.IsDefined(typeof(ParamArrayAttribute)) || Has(parameter, "ParamCollectionAttribute") ? "params " : "";
        var fallback = parameter.HasDefaultValue ? " = " + Literal(parameter.RawDefaultValue, parameter.ParameterType) : "";
        return $"{direction}{spread}{Name(parameter.ParameterType, Annotations.Of(parameter))} {parameter.Name}{fallback}";
    }));

    private static string Literal(object? value, Type type) => value switch
    {
        null => type.IsValueType && Nullable.GetUnderlyingType(type) is null ? "default" : "null",
        string s => $"\"{s}\"",
        char c => $"'{c}'",
        bool b => b ? "true" : "false",
        _ when (Nullable.GetUnderlyingType(type) ?? type) is { IsEnum: true } e => $"{e.Name}.{Enum.ToObject(e, value)}",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Constraints(Type[] arguments) => string.Concat(arguments.Select(argument =>
    {
        var attributes = argument.GenericParameterAttributes;
        var isStruct = attributes.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint);
        var annotation = Annotations.Of(argument).Next();
        var words = new List<string>();
        if (attributes.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint))
        {
            words.Add(annotation == Annotations.Nullable ? "class?" : "class");
        }
        else if (isStruct)
        {
            words.Add(Has(argument, "IsUnmanagedAttribute") ? "unmanaged" : "struct");
        }
        else if (annotation == Annotations.NotNull && argument.GetGenericParameterConstraints().Length == 0)
        {
            words.Add("notnull");
        }
        words.AddRange(argument.GetGenericParameterConstraints().Where(c => c != typeof(ValueType)).Select(c => Name(c)).Order(StringComparer.Ordinal));
        if (attributes.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint) && !isStruct)
        {
            words.Add("new()");
        }
        if (attributes.HasFlag(GenericParameterAttributes.AllowByRefLike))
        {
            words.Add("allows ref struct");
        }
        return words.Count == 0 ? "" : $" where {argument.Name} : {string.Join(", ", words)}";
    }));

    private static string DefinitionName(Type type)
    {
        var name = type.IsNested ? DefinitionName(type.DeclaringType!) + "." : "";
        name += type.Name.Split('`')[0];
        var inherited = type.DeclaringType?.GetGenericArguments().Length ?? 0;
        var own = type.GetGenericArguments()[inherited..].Select(a =>
            (a.GenericParameterAttributes & GenericParameterAttributes.VarianceMask) switch
            {
                GenericParameterAttributes.Covariant => "out ",
                GenericParameterAttributes.Contravariant => "in ",
                _ => "",
            } + a.Name).ToArray();
        return own.Length == 0 ? name : $"{name}<{string.Join(", ", own)}>";
    }

    // Framework types go by their short names: what they are is clear, and the lines stay readable.
    private static string Name(Type type, Annotations? annotations = null)
    {
        if (type.IsByRef)
        {
            return Name(type.GetElementType()!, annotations);
        }
        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return Name(underlying, annotations) + "?";
        }
        // One byte a type, in this order, except for plain value types.
        var mark = (!type.IsValueType || type.IsGenericType) && annotations?.Next() == Annotations.Nullable ? "?" : "";
        if (type.IsArray)
        {
            return $"{Name(type.GetElementType()!, annotations)}[{new string(',', type.GetArrayRank() - 1)}]{mark}";
        }
        if (Keywords.TryGetValue(type, out var keyword))
        {
            return keyword + mark;
        }
        if (type.IsGenericParameter)
        {
            return type.Name + mark;
        }

        var arguments = type.GetGenericArguments();
        var names = arguments.Select(a => Name(a, annotations)).ToArray();
        if (type.Namespace == "System" && type.Name.StartsWith("ValueTuple`", StringComparison.Ordinal))
        {
            return $"({string.Join(", ", names)})";
        }
        var inherited = type.DeclaringType?.GetGenericArguments().Length ?? 0;
        var prefix = !type.IsNested ? ""
            : Name(inherited > 0 ? type.DeclaringType!.MakeGenericType(arguments[..inherited]) : type.DeclaringType!) + ".";
        var own = names[inherited..];
        return prefix + type.Name.Split('`')[0] + (own.Length == 0 ? "" : $"<{string.Join(", ", own)}>") + mark;
    }

    // The compiler marks ref structs and required members obsolete for compilers that are too old for them.
    private static bool IsObsolete(MemberInfo member) => Has(member, "ObsoleteAttribute") && !Has(member, "CompilerFeatureRequiredAttribute");

    private static bool Has(MemberInfo member, string attribute) => member.GetCustomAttributesData().Any(a => a.AttributeType.Name == attribute);

    private static bool Has(ParameterInfo parameter, string attribute) => parameter.GetCustomAttributesData().Any(a => a.AttributeType.Name == attribute);

    /// <summary>
    /// The nullability bytes that the compiler writes for one signature, read in order. NullabilityInfoContext will not do:
    /// it cannot tell T from T?. The format: https://github.com/dotnet/roslyn/blob/main/docs/features/nullable-metadata.md
    /// </summary>
    private sealed class Annotations(byte[]? each, byte all)
    {
        public const byte NotNull = 1;
        public const byte Nullable = 2;
        private int _next;

        public static Annotations Of(ParameterInfo parameter) => Of(parameter.GetCustomAttributesData(), parameter.Member);

        public static Annotations Of(MemberInfo member) => Of(member.GetCustomAttributesData(),
            member is Type { IsGenericParameter: true, DeclaringMethod: { } method } ? method : member.DeclaringType);

        public byte Next() => each is null ? all : each[_next++];

        private static Annotations Of(IEnumerable<CustomAttributeData> attributes, MemberInfo? owner)
        {
            var value = attributes.FirstOrDefault(a => a.AttributeType.Name == "NullableAttribute")?.ConstructorArguments[0].Value;
            return value switch
            {
                byte one => new(null, one),
                IEnumerable<CustomAttributeTypedArgument> many => new([.. many.Select(b => (byte)b.Value!)], 0),
                _ => new(null, Context(owner)),
            };
        }

        // Where most members agree, the compiler writes their byte once, on the method or the type around them.
        private static byte Context(MemberInfo? owner)
        {
            for (; owner is not null; owner = owner.DeclaringType)
            {
                var context = owner.GetCustomAttributesData().FirstOrDefault(a => a.AttributeType.Name == "NullableContextAttribute");
                if (context is not null)
                {
                    return (byte)context.ConstructorArguments[0].Value!;
                }
            }
            return 0;
        }
    }
}
