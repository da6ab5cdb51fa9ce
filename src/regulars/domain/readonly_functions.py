"""The functions that read-only SQL may call, as DuckDB names them.

None of them reads a file, changes anything, waits, or tells about the process, its settings or the database: what is
not in this list is refused, so a later version of the engine adds nothing to it by itself.
"""

from __future__ import annotations

FUNCTIONS = frozenset(
    """
abs acos acosh add age any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null
arg_min arg_min_null argmax argmin array_agg array_aggr array_aggregate array_append array_apply array_cat
array_concat array_contains array_distinct array_extract array_filter array_has array_has_all array_has_any
array_indexof array_intersect array_length array_position array_prepend array_reduce array_resize array_reverse
array_reverse_sort array_select array_slice array_sort array_to_json array_to_string array_transform array_unique
array_where array_zip ascii asin asinh atan atan2 atanh avg bar bin bit_and bit_count bit_length bit_or bit_xor
bitstring_agg bool_and bool_or cardinality cbrt ceil ceiling century char_length character_length chr concat
concat_ws contains corr cos cosh cot count count_if count_star countif covar_pop covar_samp cume_dist current_date
current_localtimestamp current_time current_timestamp damerau_levenshtein date_add date_diff date_part date_sub
date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade
decode degrees dense_rank divide editdist3 element_at encode ends_with entropy epoch epoch_ms epoch_ns epoch_us era
even exp factorial favg fdiv fill filter first first_value flatten floor fmod format format_bytes formatreadablesize
from_base64 from_hex from_json fsum gamma gcd gen_random_uuid generate_series generate_subscripts geomean
geometric_mean get_bit get_current_time get_current_timestamp greatest greatest_common_divisor group_concat hamming
hash hex histogram histogram_exact hour if ilike_escape instr isfinite isinf isnan isodow isoyear jaccard
jaro_similarity jaro_winkler_similarity json json_array json_array_length json_contains json_each json_exists
json_extract json_extract_path json_extract_path_text json_extract_string json_group_array json_group_object
json_group_structure json_keys json_object json_pretty json_quote json_remove json_set json_strip_nulls
json_structure json_tree json_type json_valid json_value julian kahan_sum kurtosis kurtosis_pop lag last last_day
last_value lcase lcm lead least least_common_multiple left left_grapheme len length length_grapheme levenshtein
lgamma like_escape list list_aggr list_aggregate list_any_value list_append list_apply list_avg list_cat list_concat
list_contains list_cosine_distance list_count list_distance list_distinct list_element list_extract list_filter
list_first list_has list_has_all list_has_any list_indexof list_intersect list_last list_max list_median list_min
list_mode list_pack list_position list_prepend list_product list_reduce list_resize list_reverse list_reverse_sort
list_select list_slice list_sort list_sum list_transform list_unique list_value list_where list_zip listagg ln
localtime localtimestamp log log10 log2 lower lpad ltrim mad make_date make_time make_timestamp map map_concat
map_contains map_contains_value map_entries map_extract map_extract_value map_from_entries map_keys map_values max
max_by md5 md5_number mean median microsecond millennium millisecond min min_by minute mode month monthname multiply
nanosecond nextafter nfc_normalize not_ilike_escape not_like_escape now nth_value ntile nullif octet_length ord
overlay percent_rank pi position pow power prefix printf product quantile quantile_cont quantile_disc quarter
radians random range rank rank_dense reduce regexp_escape regexp_extract regexp_extract_all regexp_full_match
regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regr_avgx regr_avgy regr_count
regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reservoir_quantile reverse right
right_grapheme round round_even row row_number row_to_json rpad rtrim second sem sha1 sha256 sign signbit sin sinh
skewness split split_part sqrt starts_with stddev stddev_pop stddev_samp str_split str_split_regex strftime
string_agg string_split string_split_regex string_to_array strip_accents strlen strpos strptime struct_concat
struct_extract struct_extract_at struct_insert struct_keys struct_pack struct_update struct_values substr substring
substring_grapheme subtract suffix sum sumkahan tan tanh time_bucket timezone to_base to_base64 to_binary
to_centuries to_days to_decades to_hex to_hours to_json to_microseconds to_millennia to_milliseconds to_minutes
to_months to_quarters to_seconds to_timestamp to_weeks to_years today translate trim trunc try_strptime typeof ucase
unhex unicode unnest upper url_decode url_encode uuid var_pop var_samp variance wavg week weekday weekofyear
weighted_avg xor year yearweek
""".split()  # noqa: SIM905 -- a list of so many names is read best as text
)
# Those that may stand in the place of a table.
TABLE_FUNCTIONS = frozenset({"generate_series", "json_each", "json_tree", "range", "repeat", "unnest"})
