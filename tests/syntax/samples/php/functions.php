<?php

// Small helpers, without a namespace.

/**
 * Splits text into words.
 */
function words(string $text, int $limit = -1): array
{
    $pattern = '/[\s,.;:!?"\'()]+/u';
    return preg_split($pattern, trim($text), $limit, PREG_SPLIT_NO_EMPTY) ?: [];
}

function table(array $rows, string $separator = "\t"): string
{
    $widths = [];
    foreach ($rows as $row) {
        foreach (array_values($row) as $i => $cell) {
            $widths[$i] = max($widths[$i] ?? 0, mb_strlen((string) $cell));
        }
    }
    $lines = array_map(
        fn (array $row): string => implode($separator, array_map(
            fn (int $i, mixed $cell): string => str_pad((string) $cell, $widths[$i]),
            array_keys(array_values($row)),
            array_values($row),
        )),
        $rows,
    );
    return implode("\n", $lines);
}

function slug(string $title): string
{
    $slug = strtolower(preg_replace('~[^\pL\d]+~u', '-', $title));
    return trim($slug, '-') ?: 'n-a';
}

if (!function_exists('env')) {
    function env(string $name, ?string $default = null): ?string
    {
        $value = getenv($name);
        return $value === false ? $default : $value;
    }
}

$config = [
    'debug' => env('DEBUG') === '1',
    'hosts' => ['a' => '10.0.0.1', 'b' => '10.0.0.2'],
    'limits' => [1, 2, 3],
];
['debug' => $debug] = $config;
[$low, , $high] = $config['limits'];
echo table([['a', 1], ['bb', 22]]), "\n", slug("Hello, it's me!"), $debug ? 'on' : 'off', $low + $high;
