"""The words that give a task away, by the feature they set. General English, and a little of five languages.

Lower case; a phrase of several words is looked for as it stands. What is listed under `LEADS` counts at the
beginning of an instruction only, after "please" and its like.
"""

from __future__ import annotations

from typing import Final

POLITE: Final = (
    "your task is to|i want you to|i need you to|i would like you to|i'd like you to|i'd like to|can you|"
    "could you|would you|will you|can someone|help me to|help me|you should|i need|please|pls|kindly|hi|"
    "hello|hey|ok|okay|now|then|also|and|so|sorry|thanks|well|quick question|one more thing|question|"
    "good morning|good afternoon|good evening|hi there|do you know|i wonder|i want to know|bitte|hallo|"
    "kannst du|kannst du mir|können sie|könnten sie|s'il te plaît|s'il vous plaît|bonjour|peux-tu|"
    "pouvez-vous|"
    "por favor|hola|puedes|podrías|puede|per favore|puoi"
)
"""What may stand before the verb."""

LEADS: Final[dict[str, str]] = {
    "summarize": (
        "summarize|summarise|summarizing|sum up|condense|shorten|recap|tldr|tl;dr|boil|abridge|"
        "paraphrase|digest|synopsis|fasse|fass|résume|résumer|resume|resumir|resuma|riassumi|"
        "haz un resumen|fais un résumé|erstelle eine zusammenfassung|"
        "give a summary|give me a summary|outline"
    ),
    "extract": (
        "extract|pull|read the|fill|find every|find all|put the|turn this|turn these|turn the|retrieve|"
        "pick out|copy|parse|scan|collect|get|locate|return|extrahiere|extrais|"
        "extrae|extraer|estrai|énumère|enumera|enumere|liste alle|from the|from this|using the|using this|"
        "according to"
    ),
    "classify": (
        "classify|categorize|categorise|label|tag|sort these|group|assign|determine|decide|divide|split|"
        "mark|detect|identify|rate|ordne|klassifiziere|classe|classifie|clasifica|clasificar|classifica|"
        "kategorisiere|catégorise|categoriza"
    ),
    "write": (
        "write|compose|draft|imagine|pretend|invent|make up|continue|rewrite|describe|pitch|act as|"
        "tell me a story|schreibe|schreib|écris|écrire|escribe|escribir|scrivi|verfasse|rédige|redacta|"
        "erfinde|invente|inventa|dichte"
    ),
    "list": (
        "list|name|give|suggest|recommend|brainstorm|propose|share|think of|come up|rank|provide|nenne|"
        "donne|dame|liste|show|donne-moi|schlage|schlag|propose|propón|sugiere|sugiéreme|recomienda|"
        "recommande|empfiehl|gib mir|"
        "dammi|suggerisci"
    ),
    "build": (
        "implement|create|build|design|develop|code|refactor|debug|fix|optimize|optimise|convert|edit|"
        "modify|add|complete|construct|generate|make|define|update|print|replace|implementiere|"
        "programmiere|implémente|programme|implementa|programa|korrigiere|corrige|debogue"
    ),
    "solve": "solve|calculate|compute|prove|derive|evaluate|find|work out|analyze|analyse|think step|"
    "berechne|beweise|löse|rechne|leite|calcule|démontre|résous|prouve|"
    "calcula|demuestra|resuelve|prueba que|calcola",
    "tell": "tell|describe|explain|elaborate|discuss",
    "wh": (
        "what|what's|whats|who|who's|whose|when|where|which|why|how|wer|wann|wo|warum|wie|was ist|quel|"
        "quelle|quels|quelles|qui|quand|où|pourquoi|comment|qué|quién|cuándo|dónde|cómo|cuál|cuáles|cuánto|"
        "cuánta|cuántos|por qué|wieso|weshalb|welche|welcher|welches|wessen|wohin|woher|combien|est-ce que|"
        "qu'est-ce|dove|quando|perché|chi|in what|"
        "in which|on what|at what|for what|by whom"
    ),
    "is": "is|are|was|were|do|does|did|can|should|has|have|will|if i",
    "what_are": "what are|what're|which are|what kinds|what types|what sort",
    "what_is": (
        "who is|who was|who are|who were|what is|what's|whats|what was|what does|what do|when did|"
        "when was|when is|where is|where was|where are|how old|how tall|how far"
    ),
    "why_how": "why|how do|how does|how did|how is|how are|how can|how to|how should|how would",
    "if": "if|suppose|given that|assume|assuming|there are|there is|there were|there was",
    "should": "should|what would you|if you could|if you were|if you had|would you",
}
"""Feature -> what an instruction may begin with."""

ORDERS: Final = frozenset({"summarize", "extract", "classify", "write", "list", "build", "solve", "tell"})
"""The features whose words tell someone to do something."""

ANYWHERE: Final[dict[str, str]] = {
    "summary": (
        "summarize|summarise|summarizing|summarized|summary|summaries|tldr|tl;dr|overview|synopsis|gist|"
        "takeaway|takeaways|key points|main points|main idea|main ideas|in short|briefly|brief|rundown|"
        "highlights|abstract|recap|essentials|short description|in a few sentences|in a few words|"
        "in one sentence|in two sentences|in three sentences|in two lines|in one line|sentences or less|"
        "points or less|words or less|bullet points|zusammen|zusammenfassung|résume|resumen|zusammenfassen|"
        "résumé|résumer|resumir|riassunto|kurzfassung|"
        "short paragraph|in simple terms"
    ),
    "passage": (
        "passage|paragraph|article|excerpt|transcript|the text|this text|following text|given text|"
        "reference text|text below|text above|the document|this document|the email|this email|"
        "this report|the report|this page|this review|these reviews|these notes|the notes|the contract|"
        "this thread|according to the|mentioned|based on the|the following context|from the text|"
        "given the|provided|included text|below|texte|folgenden text|siguiente texto"
    ),
    "extracting": (
        "extract|extracts|extracted|extracting|comma separated|comma-separated|separated by|"
        "separate them|separated with|separate with|separate each|json|csv|alphabetical order|"
        "mentioned in|listed in|named in|find all|all the names|show the results|display the results|"
        "list the results|list out|list down|the names of|from the passage|from the paragraph|"
        "from the text|in the passage|in the paragraph|extrahiere|extrais|extrae"
    ),
    "classifying": (
        "classify|classified|classification|categorize|categorise|categories|whether|"
        "which of the following|which of these|which of those|each of the following|each of these|"
        "all of the following|positive or negative|negative or positive|sentiment|true or false|"
        "yes or no|spam|odd one out|belong|belongs|which team|which department|which queue|which category|"
        "triage|tell me if|tell me which|identify which|is a species|"
        "which is a|which one is|the following as|each as|into two groups|synonyms or antonyms|kategorie|"
        "classe|clasifica"
    ),
    "or": "or|oder|ou",
    "from": "from",
    "ideas": (
        "idea|ideas|suggestion|suggestions|tips|ways|best|top|greatest|coolest|popular|favorite|"
        "favourite|famous|fun|reasons|recommend|recommendations|suggest|brainstorm|examples of|"
        "pros and cons|advantages|things to|options|alternatives|strategies|activities|ideen|idées|"
        "vorschläge|möglichkeiten|tipps|moyens|conseils|suggestions|formas de|"
        "maneras|sugerencias|consejos|des noms|nombres para|namen für|"
        "a list of|list of|bulleted list|give me some|give me a few|are some|different types|types of|"
        "kinds of|different ways|a few|should i|i can|can i|could i|must see|most"
    ),
    "genre": (
        "story|stories|poem|poetry|poems|haiku|limerick|song|lyrics|essay|letter|email to|e-mail to|blog|"
        "speech|dialog|dialogue|monologue|screenplay|novel|fairy tale|fairytale|slogan|tagline|tweet|"
        "diary|journal entry|toast|joke|rap|paragraph about|paragraph on|paragraph describing|"
        "sentences about|sentences on|paragraphs about|in the style of|point of view|perspective|"
        "fictional|imagine|pretend|persuasive|note to|thank you note|advertisement|invitation|gedicht|"
        "geschichte|poème|histoire|poema|cuento|erzählung|werbespruch|conte|eslogan|chanson|"
        "canción|lied|brief an|lettre à|carta a|product description|message to|short review|creative|"
        "imaginary|fantasy|dream"
    ),
    "programming": (
        "python|java|javascript|typescript|c++|c#|ruby|rust|golang|php|perl|kotlin|sql|mysql|html|css|"
        "bash|shell script|regex|regular expression|react|nodejs|node.js|django|flask|numpy|pandas|"
        "docker|dockerfile|git|json|api|endpoint|code|function|functions|algorithm|compile|compiler|"
        "compiles|debug|debugging|syntax|stack trace|exception|unit test|unit tests|array|arrays|string|"
        "strings|integer|integers|boolean|dictionary|linked list|binary|loop|recursion|recursive|"
        "recursively|program|query|database|script|variable|variables|method|class|funktion|fonction|"
        "función|snippet|yaml|terraform|kubernetes|lambda|pointer|web page|webpage|website|command line|"
        "css selector|parser|server|backend|frontend|refactor|bug|tuple|list of numbers|input"
    ),
    "surely_programming": (
        "python|javascript|typescript|sql|mysql|html|css|bash|shell script|regex|regular expression|"
        "code snippet|the code|this code|following code|given code|unit test|unit tests|syntax error|"
        "stack trace|write a function|a function|c program|c++|c#|source code|for loop|while loop|"
        "linked list|rest api|dockerfile|java code|java program|php|numpy|pandas|react component|"
        "nullpointerexception|typeerror|indexerror|segfault|git rebase|git merge|python-funktion|"
        "an array|a program|git|git commit|commit|last commit|latest commit|left join|inner join|"
        "outer join|asyncio|"
        "async function|coroutine|coroutines|docker build|docker compose|container image|pull request|npm|"
        "kubectl|merge conflict|list of dicts|list of dictionaries|unit tested"
    ),
    "quantity": (
        "how many|how much|how long|how far|how old|the total|in total|total number|the sum|"
        "the probability|the ratio|on average|the average|percent|percentage|altogether|combien|wie viel|"
        "wie viele|cuánto|cuánta|cuántos|cuántas|wie weit|wie lange|quelle distance|difference between|"
        "the area|final price|how fast|"
        "how tall"
    ),
    "arithmetic": (
        "each|per|times|twice|half|third|quarter|double|triple|remaining|left|more than|fewer|less than|"
        "total|every|cost|costs|spend|spends|spent|buy|buys|bought|sell|sells|sold|earns|earn|paid|pays|"
        "hour|hours|minutes|days|dozen|equals|older|younger|gives|gave|if"
    ),
    "logic": (
        "prove|proof|theorem|reasoning|logic|logical|logically|wahrscheinlichkeit|gleichung|beweis|"
        "probabilité|équation|probabilidad|ecuación|raíz|wurzel|puzzle|riddle|conclude|premises|premise|"
        "implies|deduce|derive|equation|integral|derivative|probability|solve for|trade-offs|tradeoffs|"
        "trade-off|hypothesis|hypotheses|fallacy|think step by step|infer|polynomial|remainder|divisible|"
        "inequality|root cause"
    ),
    "about": (
        "tell me about|tell me more about|who is|who was|details about|information about|information on|"
        "what happened|learn about"
    ),
}
"""Feature -> words and phrases that may stand anywhere."""

UNSPACED: Final[dict[str, str]] = {
    "begins:summarize": "总结|總結|概括|归纳|歸納|摘要|要点|要點|要約|まとめ|요약",
    "has:summary": "总结|總結|概括|归纳|歸納|摘要|要約|요약",
    "begins:extract": "提取|抽取|找出|摘录|抽出|추출",
    "has:extracting": "提取|抽取|找出|摘录|抽出|추출",
    "begins:classify": "分类|分類|归类|判断|判斷|分组|분류",
    "has:classifying": "分类|分類|归类|是不是|正面|负面|판단|분류",
    "begins:write": "写一|寫一|撰写|创作|编一|想一句|書いて|써줘|써 줘",
    "has:genre": "诗|詩|故事|小说|小說|广告语|口号|歌词|作文|情书|物語|이야기|소설",
    "has:surely_programming": "代码|代碼|函数|函數|编程|程序|脚本|报错|算法|コード|関数|코드|함수",
    "begins:build": "实现|實現|编写|开发|修复|重构|実装|구현",
    "begins:solve": "计算|計算|证明|證明|求解|解方程|推导|計算して|계산|증명",
    "has:logic": "证明|證明|概率|方程|推理|几率|確率|확률",
    "has:quantity": "多少|一共|总共|合计|いくつ|합계",
    "begins:list": "推荐|推薦|建议几|给我|列举|おすすめ|추천",
    "has:ideas": "点子|點子|想法|主意|推荐|推薦|有哪些|几个建议|アイデア|아이디어|추천",
    "begins:wh": "什么|什麼|哪里|哪裡|哪儿|谁|誰|为什么|為什麼|怎么|怎麼|如何|几点|何时|多久|多长时间|吗|嗎|"
    "なぜ|いつ|どこ|だれ|どう|무엇|어디|언제|왜|어떻게",
    "begins:what_is": "什么是|是什么|是谁|在哪里|是哪里|几点|何时|多久|多长时间|とは|무엇",
    "begins:why_how": "为什么|為什麼|怎么|怎麼|如何|なぜ|どうやって|왜|어떻게",
}
"""Feature -> what may stand anywhere in languages that put no blanks between words, or endings onto them:
Chinese, Japanese, Korean."""
