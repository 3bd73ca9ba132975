"""How volatile an expression is: what decides whether a column default is computed once or for every row."""

from __future__ import annotations

from dflint.facts import subjects
from dflint.facts.overloads import OVERLOADED, column_type, is_immutable, operator_is_immutable
from dflint.model.catalog import UNKNOWN, CompositeType, Domain, EnumType, Routine, Unknown
from dflint.model.context import Context
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.schema import Column

#: Functions of pg_catalog, uuid-ossp and pgcrypto. Of those whose overloads differ `dflint.facts.overloads` knows more.
_VOLATILE_NAMES = """
    array_sample array_shuffle clock_timestamp current_query currval cursor_to_xml cursor_to_xmlschema
    gen_random_bytes gen_random_uuid gen_salt lastval nextval pg_current_wal_lsn pg_sleep query_to_xml
    query_to_xml_and_xmlschema query_to_xmlschema random random_normal set_config setseed setval timeofday
    ts_rewrite txid_status uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuidv4 uuidv7
"""
_STABLE_NAMES = """
    age anytextcat array_to_json array_to_string col_description concat concat_ws convert convert_from
    convert_to current_database current_schema current_schemas current_setting current_user database_to_xml
    database_to_xml_and_xmlschema database_to_xmlschema date date_part date_trunc enum_first enum_last
    enum_range extract format format_type get_current_ts_config getdatabaseencoding getpgusername
    has_any_column_privilege has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege
    has_function_privilege has_language_privilege has_parameter_privilege has_schema_privilege
    has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege has_type_privilege
    inet_client_addr inet_client_port inet_server_addr inet_server_port json json_array json_build_array
    json_build_object json_populate_record json_scalar json_to_record json_to_tsvector jsonb_build_array
    jsonb_build_object jsonb_path_exists_tz jsonb_path_match_tz jsonb_path_query_array_tz
    jsonb_path_query_first_tz jsonb_populate_record jsonb_to_record jsonb_to_tsvector length make_timestamptz
    money mxid_age now numeric obj_description oidvectortypes overlaps pg_backend_pid pg_current_xact_id
    pg_get_userbyid pg_table_is_visible pg_typeof phraseto_tsquery plainto_tsquery quote_literal quote_nullable
    regclass row_security_active row_to_json schema_to_xml schema_to_xml_and_xmlschema schema_to_xmlschema
    session_user shobj_description statement_timestamp table_to_xml table_to_xml_and_xmlschema
    table_to_xmlschema textanycat time timestamp timestamptz timetz timezone to_char to_date to_json to_jsonb
    to_number to_regclass to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure
    to_regrole to_regtype to_timestamp to_tsquery to_tsvector transaction_timestamp ts_headline ts_match_tq
    ts_match_tt txid_current txid_current_if_assigned txid_current_snapshot unaccent version
    websearch_to_tsquery xml xml_is_well_formed
"""
_IMMUTABLE_NAMES = """
    abbrev abs acldefault acos acosd acosh area array_dims array_fill array_length array_lower array_ndims
    array_position array_positions array_remove array_replace array_to_tsvector array_upper ascii asin asind
    asinh atan atan2 atan2d atand atanh bit bit_count bit_length bool box bpchar broadcast cardinality casefold
    cash_words cbrt ceil ceiling center char char_length character_length chr cidr circle coalesce cos cosd cosh
    cot cotd crc32 crc32c crypt date_bin datemultirange daterange decode degrees dexp diagonal diameter digest
    div dlog1 dlog10 dround dtrunc encode exp factorial family float4 float8 floor gcd get_bit get_byte greatest
    height hmac host hostmask initcap int2 int4 int4multirange int4range int8 int8multirange int8range interval
    is_normalized isclosed isempty isfinite ishorizontal isopen isparallel isperp isvertical json_array_length
    json_object json_strip_nulls json_typeof jsonb_array_length jsonb_insert jsonb_object jsonb_path_exists
    jsonb_path_match jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set jsonb_set_lax
    jsonb_strip_nulls jsonb_typeof justify_days justify_hours justify_interval lcm least left like like_escape
    line ln log log10 lower lower_inc lower_inf lpad lseg ltrim macaddr macaddr8 macaddr8_set7bit make_date
    make_interval make_time make_timestamp makeaclitem masklen md5 min_scale mod multirange name netmask network
    normalize notlike npoints nullif num_nonnulls num_nulls numeric_div_trunc numeric_exp numeric_ln numeric_log
    numeric_sqrt nummultirange numnode numrange octet_length oid overlay parse_ident path pclose pi point
    polygon popen position pow power querytree quote_ident radians radius range_merge regexp_count regexp_instr
    regexp_like regexp_match regexp_replace regexp_split_to_array regexp_substr repeat replace reverse right
    round rpad rtrim scale set_bit set_byte set_masklen setweight sha224 sha256 sha384 sha512 sign
    similar_escape sin sind sinh slope split_part sqrt string_to_array strip strpos substr substring tan tand
    tanh text textlen to_ascii to_bin to_hex to_oct translate trim_array trim_scale trunc ts_delete ts_filter
    ts_rank ts_rank_cd tsmultirange tsquery_phrase tsrange tstzmultirange tstzrange tsvector_to_array
    txid_visible_in_snapshot unistr upper upper_inc upper_inf uuid_extract_timestamp uuid_extract_version
    uuid_generate_v3 uuid_generate_v5 uuid_nil uuid_ns_dns uuid_ns_oid uuid_ns_url uuid_ns_x500 varbit varchar
    width width_bucket xml_is_well_formed_content xml_is_well_formed_document xmlcomment xmlconcat2 xmlexists
    xmlvalidate xpath xpath_exists
"""
_VOLATILE = frozenset(_VOLATILE_NAMES.split())
_STABLE = frozenset(_STABLE_NAMES.split())
_IMMUTABLE = frozenset(_IMMUTABLE_NAMES.split())

#: ``unsettled`` is one of the two beside it: a default cannot tell them apart, an index has to.
_LEVELS = ("constant", "unsettled", "stable", "volatile")
_VOLATILE_LEVEL = _LEVELS.index("volatile")
#: Deeper than this nobody nests SQL functions; recursion ends here.
_DEEPEST = 16


def default_volatility(context: Context) -> str | Unknown:
    """How volatile the new default is (ADD COLUMN, SET DEFAULT): `volatile` needs a value computed for each row. A
    domain's own default counts where the column has none. serial, identity and generated columns are not defaults.
    """
    operation = context.operation
    new = getattr(operation, "column", None)
    default = getattr(operation, "default", None)
    if isinstance(new, Column):
        default = new.default
        if default is None and new.type is not None and not new.serial and not new.identity and new.generated is None:
            domain = subjects.domain(context, new.type)
            if domain is UNKNOWN:
                return UNKNOWN
            default = domain.default if isinstance(domain, Domain) else None
    return "none" if default is None or _is_null(default) else volatility(default, context)


def _is_null(expr: Expr) -> bool:
    """DEFAULT NULL, with a cast or without, is no default."""
    while expr.kind == "cast":
        expr = expr.args[0]
    return expr.kind == "null"


def volatility(expr: Expr, context: Context, depth: int = 0) -> str | Unknown:
    """``constant``, ``stable`` or ``volatile``; UNKNOWN when it calls something whose volatility is not known."""
    level = _level(expr, context, depth)
    return "stable" if level == "unsettled" else level


def immutable(expr: Expr, context: Context) -> bool | Unknown:
    """Whether an expression calls nothing but immutable functions."""
    level = _level(expr, context, 0)
    return UNKNOWN if level in (UNKNOWN, "unsettled") else level == "constant"


def _level(expr: Expr, context: Context, depth: int) -> str | Unknown:
    worst, unknown = 0, False
    for part in expr.walk():
        level = _own_level(part, context, depth)
        if level is UNKNOWN:
            unknown = True
        else:
            worst = max(worst, _LEVELS.index(level))
    # One volatile part makes the whole volatile, whatever the others are.
    return UNKNOWN if unknown and worst < _VOLATILE_LEVEL else _LEVELS[worst]


def _own_level(expr: Expr, context: Context, depth: int) -> str | Unknown:
    kind, name = expr.kind, expr.name
    if kind == "function" and name is not None:
        return _function_level(name, expr, context, depth)
    if kind == "value_function":
        return "stable"
    if kind == "operator" and name is not None:
        if name.schema not in (None, "pg_catalog"):
            return UNKNOWN
        return "constant" if operator_is_immutable(expr, context) else "unsettled"
    if kind == "cast":
        return _cast_level(expr, context)
    return UNKNOWN if kind in ("other", "subquery", "parameter") else "constant"


#: Types whose text depends on settings or on names in the catalog, by pg_proc: their output functions are stable.
_TEXT_STABLE = frozenset(
    """
    date timestamp timestamptz interval money aclitem record regproc regprocedure regoper regoperator regclass
    regcollation regtype regrole regnamespace regconfig regdictionary int4range int8range numrange tsrange tstzrange
    daterange int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange
    """.split()
)
#: The same, read from text.
_READ_STABLE = _TEXT_STABLE | {"time", "timetz", "xml"}
_TEXTS = frozenset({"text", "varchar", "bpchar", "name"})
#: What has a type that the text does not show.
_VALUES = frozenset({"column", "function", "value_function", "operator"})
#: Pairs of types whose cast depends on the time zone or on the locale, either way.
_ZONED, _UNZONED = frozenset({"timestamptz", "timetz"}), frozenset({"date", "time", "timestamp"})
_LOCAL, _NUMBERS = frozenset({"money"}), frozenset({"numeric", "int4", "int8"})


def _cast_level(expr: Expr, context: Context) -> str:
    """How volatile the cast of a column is. A constant is folded with its cast, as far as that is known."""
    source, after = column_type(expr.args[0], context), expr.type
    if source is None or after is None:
        depends = after is not None and (_is_text(after) or _text_depends(after, _READ_STABLE, context))
        return "unsettled" if depends and any(part.kind in _VALUES for part in expr.walk()) else "constant"
    if _is_text(after):
        return "stable" if not _is_text(source) and _text_depends(source, _TEXT_STABLE, context) else "constant"
    if _is_text(source):
        return "stable" if _text_depends(after, _READ_STABLE, context) else "constant"
    names = {source.name.name, after.name.name}
    pairs = ((_ZONED, _UNZONED), (_LOCAL, _NUMBERS))
    depends = not source.dimensions and any(names & one and names & other for one, other in pairs)
    return "stable" if depends or names == _ZONED else "constant"


def _is_text(type_: Type) -> bool:
    return not type_.dimensions and type_.name.name in _TEXTS and type_.name.schema == "pg_catalog"


def _text_depends(type_: Type, by_name: frozenset[str], context: Context) -> bool:
    """Whether conversion to or from text depends on more than the value."""
    if type_.dimensions:
        return True
    if type_.name.schema == "pg_catalog":
        return type_.name.name in by_name
    name = context.catalog.resolve_type(type_.name, context.session.search_path)
    found = context.catalog.types.get(name)
    if isinstance(found, Domain):
        return _text_depends(found.type, by_name, context)
    return isinstance(found, EnumType) or isinstance(context.catalog.relations.get(name), CompositeType)


def _function_level(name: Name, call: Expr, context: Context, depth: int) -> str | Unknown:
    known = _known_level(name.name)
    if name.name in OVERLOADED:
        settled = is_immutable(call, context)
        known = "unsettled" if settled is None else "constant" if settled else "stable"
    if name.schema == "pg_catalog":
        return known
    routine_names = (name,) if name.schema else [Name(schema, name.name) for schema in context.session.search_path]
    for each in routine_names:
        found = context.catalog.routines.get(each)
        if found:
            return _routines_level(found, len(call.args), context, depth)
    # A schema-qualified name may be an extension's: uuid_generate_v4 is the same in whatever schema it was put.
    return known


def is_known(function: str) -> bool:
    """Whether a name is that of a function of pg_catalog, uuid-ossp or pgcrypto that is listed here."""
    return _known_level(function) is not UNKNOWN


def _known_level(name: str) -> str | Unknown:
    if name in _VOLATILE:
        return "volatile"
    if name in _IMMUTABLE:
        return "constant"
    return "stable" if name in _STABLE else UNKNOWN


def _routines_level(routines: tuple[Routine, ...], arguments: int, context: Context, depth: int) -> str | Unknown:
    fitting = [
        routine
        for routine in routines
        if sum(parameter.mode in ("in", "inout", "variadic") for parameter in routine.parameters) >= arguments
    ] or routines
    levels = {_routine_level(routine, context, depth) for routine in fitting}
    return levels.pop() if len(levels) == 1 else UNKNOWN


def _routine_level(routine: Routine, context: Context, depth: int) -> str | Unknown:
    declared = "constant" if routine.volatility == "immutable" else routine.volatility
    if routine.inlined is None or depth >= _DEEPEST:
        return declared
    # PostgreSQL inlines a one-line SQL function, unless the body is more volatile than was declared.
    body = volatility(routine.inlined, context, depth + 1)
    if body is UNKNOWN:
        return UNKNOWN if declared == "volatile" else declared
    return min(declared, body, key=_LEVELS.index)
