"""Scrapy as its documentation shows it: obeys robots.txt, named user agent (good_bot), or neither (`bad`)."""
import os
import sys

import scrapy
from scrapy.crawler import CrawlerProcess

BAD = len(sys.argv) > 1 and sys.argv[1] == "bad"


class Site(scrapy.Spider):
    name = "site"
    allowed_domains = ["shop.example", "blog.example"]
    start_urls = [os.environ["SHOP"] + "/"] if BAD else [os.environ["BLOG"] + "/", os.environ["SHOP"] + "/"]

    def parse(self, response):
        for a in response.css("a::attr(href)").getall():
            yield response.follow(a, self.parse)


process = CrawlerProcess({
    "ROBOTSTXT_OBEY": not BAD, "LOG_LEVEL": "ERROR", "TELNETCONSOLE_ENABLED": False, "CLOSESPIDER_PAGECOUNT": 45 if BAD else 28,
    "DOWNLOAD_DELAY": 0.05 if BAD else 0.7, "CONCURRENT_REQUESTS_PER_DOMAIN": 8 if BAD else 2, "DNS_RESOLVER": "scrapy.resolver.CachingHostnameResolver",
    **({} if BAD else {"USER_AGENT": "CatalogueIndexer/2.0 (+https://indexer.example/bot)"}),
})
process.crawl(Site)
process.start()
