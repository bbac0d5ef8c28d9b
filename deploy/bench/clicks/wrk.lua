-- wrk's part of the benchmark: asks for the links of a file at random.
--   wrk … -s wrk.lua URL -- FILE METHOD [forwarded] [ACCEPT ACCEPT-LANGUAGE]
-- With "forwarded" every request comes from another address, as through a proxy.
local links, method, forwarded, accept, language = {}, 'GET', false, nil, nil

function init(args)
  for line in io.lines(args[1]) do
    links[#links + 1] = line
  end
  method, forwarded = args[2], args[3] == 'forwarded'
  local rest = forwarded and 4 or 3
  accept, language = args[rest], args[rest + 1]
  math.randomseed(os.time())
  if not forwarded then
    for i, link in ipairs(links) do
      links[i] = ask(link)
    end
  end
end

function ask(link)
  local headers = {}
  if accept then
    headers['Accept'], headers['Accept-Language'] = accept, language
  end
  if method == 'POST' then
    headers['Content-Type'] = 'application/x-www-form-urlencoded'
  end
  if forwarded then
    headers['X-Forwarded-For'] = string.format('10.%d.%d.%d',
      math.random(0, 255), math.random(0, 255), math.random(0, 255))
  end
  return wrk.format(method, '/' .. link, headers, method == 'POST' and 'confirm=1' or nil)
end

function request()
  local link = links[math.random(#links)]
  return forwarded and ask(link) or link
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"refused":%d,"failed":%d,"microseconds":%d,"p50":%d,"p99":%d}\n',
    summary.requests, e.status, e.connect + e.read + e.write + e.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)))
end
