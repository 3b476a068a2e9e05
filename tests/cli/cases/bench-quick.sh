# SPDX-License-Identifier: MIT
# That it measures what it should and says it right; no time is judged, for it may be any.
nvrtl bench --quick --seed=7 --format=json --plot=plot.svg > answer
grep '^status' answer
sed -i '/^status/d' answer
python3 - <<'END'
import json
import xml.etree.ElementTree

answer = json.load(open('answer'))
print(answer['schema'], *answer, sep=', ')
print(*answer['machine'], sep=', ')
print(answer['options'])
peer = answer['machine']['libpmem'] is not None
notes = ' '.join(answer['notes'])
assert peer != ('libpmem is not installed' in notes), notes
seen = {}
for result in answer['results']:
    seen.setdefault(result['group'], []).append(result['name'])
    times = result['times']
    for name, time in times.items():
        assert 0 < time['least_ns'] <= time['median_ns'] <= time['most_ns'], (result, name)
        assert ('gb_per_s' in time) == ('size_bytes' in result)
        if 'size_bytes' in result:
            assert abs(time['gb_per_s'] * time['median_ns'] / result['size_bytes'] - 1) < 1e-6
        if name != 'nvrtl':
            lowest = time['least_ns'] / times['nvrtl']['most_ns']
            highest = time['most_ns'] / times['nvrtl']['least_ns']
            assert lowest * (1 - 1e-9) <= result['over_nvrtl'][name] <= highest * (1 + 1e-9)
    assert ('libpmem' in times) == (peer and 'refusal' not in result['group']), result
for group, names in seen.items():
    if not group.startswith('threads'):
        print(group, names, sep=': ')
assert [g for g in seen if g.startswith('threads')] or 'only one CPU' in notes

picture = xml.etree.ElementTree.parse('plot.svg').getroot()
spaces = {'svg': 'http://www.w3.org/2000/svg'}
print(picture.tag, len(picture.findall('svg:g', spaces)), 'panels')
for line in picture.findall('.//svg:polyline', spaces):
    points = [tuple(map(float, point.split(','))) for point in line.get('points').split()]
    assert points == sorted(points) and all(0 <= x <= 460 and 0 <= y <= 340 for x, y in points), points
    assert points or not peer
titles = [text.text for text in picture.iterfind('.//svg:text', spaces) if text.text.endswith('time for one')]
print(*titles, sep='; ')
END
echo '--- page cache'
nvrtl bench --quick --dir=. --format=json > answer
if grep -q 'its files are not on a disk' answer; then
    echo 'page cache, scattered pages: 1 page, 8 pages, 64 pages'
    echo 'page cache, with 2000 other dirty pages: 8 pages'
else
    sed -i '/^status/d' answer
    python3 - <<'END'
import json

answer = json.load(open('answer'))
seen = {}
counted = 'device flushes are not counted' not in ' '.join(answer['notes'])
for result in answer['results']:
    if result['group'].startswith('page cache'):
        seen.setdefault(result['group'], []).append(result['name'])
        assert {'nvrtl', 'msync', 'fdatasync'} <= set(result['times']), result
        assert all(('device_flushes' in time) == counted for time in result['times'].values()), result
for group, names in seen.items():
    print(group, ', '.join(names), sep=': ')
END
fi
ls
echo '--- text'
nvrtl bench --quick --cpu=none --size=1M > table
grep -o -e '3 rounds in random order' -e '1 MiB of memory, not pinned' table
awk 'blank { print } { blank = $0 == "" }' table | grep -v -e : -e '^threads'
grep -i -e nan -e inf -e ' 0.00 ns' table
