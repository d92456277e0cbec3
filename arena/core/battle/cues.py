"""How models speak of themselves in the languages most people speak: patterns, and the words that
may stand between these and a name.

All in lower case; accents do not count; of a word that ends in `*` any ending. It does not know
the names of models.
"""

from __future__ import annotations

from typing import NamedTuple


class Cue(NamedTuple):
    """Alternatives of a pattern: whole words in scripts that part words by spaces, and others."""

    spaced: str
    unspaced: str = "(?!)"


IS = Cue(
    spaced=(
        r"i am|i'm|im|i was|i've been|i have been|i remain|i happen to be|i,|it's me|it is me"
        r"|(?:my|the)(?: \w+)? name(?: is|'s|\?)?|(?:nam|call)(?:s|ed)? me|i go by|known as"
        r"|(?:refer to|think of|know) me as|(?:what|who) am i\?|i identify as|speaking as|introduc\w+ myself|i represent|i run on|i belong to"
        r"|i'm running on|i function as|i operate|you(?: a|')re (?:talking|chatting|speaking) (?:to|with)"
        r"|you are using(?: right now)? is|greetings from|hello from"
        r"|my(?: \w+)? (?:architecture|identity|family|version|model)"
        r"|this (?:answer|reply|response|chat|conversation|message)"
        r"|ich,|ich (?:bin|war|wurde|heisse|basiere auf|beruhe auf|laufe auf|gehöre zu\w*)|nenn\w* mich"
        r"|mein name(?: ist)?|(?:du sprichst|sie sprechen|du chattest) mit|hier (?:spricht|schreibt)"
        r"|je suis|j'ai été|je m'appelle|mon nom est|moi,|moi c'est|je fais partie de|je me base sur"
        r"|(?:vous parlez|tu parles|vous discutez) (?:avec|à)|appelle[zs]?[- ]moi|je repose sur|ici"
        r"|yo,|soy|me llamo|mi nombre(?: es)?|fui|he sido|(?:estás|está|estáis) (?:hablando|chateando) con"
        r"|aquí|me baso en|llámame|pertenezco a|formo parte de"
        r"|eu,|sou|me chamo|chamo-me|meu nome(?: é)?|(?:está|estás) (?:falando|conversando|a falar) com"
        r"|aqui (?:é|fala)|faço parte d\w+|pertenço a"
        r"|sono(?: stat[oa])?|mi chiamo|il mio nome(?: è)?|stai parlando con"
        r"|я|меня (?:зовут|называют)|мо[её] имя|я работаю на(?: основе| базе)?|я основан\w* на"
        r"|(?:вы|ты) (?:общаетесь|общаешься|разговариваете|говорите|говоришь) с"
        r"|saya(?: adalah)?|aku(?: adalah)?|nama(?:ku| saya)(?: adalah)?"
        r"|sedang (?:berbicara|mengobrol) dengan"
        r"|أنا|اسمي|تتحدث (?:مع|إلى)|تناديني|نادني|بصفتي|باعتباري|كوني|بوصفي"
        r"|मेरा नाम|আমার নাম|میرا نام"
    ),
    unspaced=(
        r"我(?:其实)?(?:就)?是|我叫|我(?:的)?名字?(?:是|叫|为)|叫我|称呼我为?|我由|我属于|我基于|我被|名字叫"
        r"|本(?:模型|助手)(?:由|是)|正在(?:和|与|跟)|本人是|在下是|这里是"
        r"|(?:私|僕|わたし)の名前は|제 이름은|이름은"
    ),
)
"""A name follows: what somebody is, or is called."""

BY = Cue(
    spaced=(
        r"i (?:come|hail|stem|descend) from|behind me|i owe"
        r"|(?:made|created|built|developed|trained|designed) me (?:is|was|are)"
        r"|my(?: \w+)? (?:creators?|developers?|makers?|trainers?|vendor|provider|owner|parent company"
        r"|weights|training|knowledge(?! (?:of|about))|cutoff)"
        r"|mein\w* (?:hersteller|entwickler|schöpfer)|mich ha(?:t|ben)|wurde ich|ich komme (?:von|aus)"
        r"|ich stamme von|die mich \w+ hat"
        r"|je viens de|m(?:on|es) (?:créateur|développeur|concepteur|connaissances)s?"
        r"|(?:qui m'a|m'ont) \w+"
        r"|me (?:creó|desarrolló|entrenó|hizo|diseñó|programó|criou|desenvolveu|treinou)"
        r"|mis? (?:creador|desarrollador|entrenamiento|entrenador|fabricante)\w*"
        r"|meus? (?:criador|desenvolvedor)\w*|mi ha (?:creato|addestrato)"
        r"|меня (?:создал|разработал|обучил|натренировал)\w*|мо\w+ (?:создател|разработчик)\w*"
        r"|(?:pembuat|pengembang) saya|yang (?:membuat|menciptakan|mengembangkan|melatih) saya"
        r"|(?:طور|درب|صنع|صمم|أنشأ)ت?ني|مطوري|مطورتي|تم (?:تطويري|تدريبي|إنشائي|تصميمي)"
        r"|(?:मेरा|मेरी) (?:विकास|निर्माण|प्रशिक्षण)|আমার (?:নির্মাতা|বিকাশকারী)"
    ),
    unspaced=(
        r"我来自|我的(?:开发者|创造者|开发商|母公司|研发团队)|私を(?:作|開発|訓練)[っしたて]*のは"
        r"|저를 (?:만든|개발한) (?:회사|곳)[은는]"
    ),
)
"""A maker follows."""

AS = Cue(
    spaced=(
        r"(?<!such )(?<!same )(?<!well )(?<!far )(?<!so )as|being|als|como|en tant que?|comme|как|будучи"
        r"|sebagai|come"
    ),
    unspaced=(r"作为|身为"),
)
"""In the quality of something; who speaks must follow."""

THIS = Cue(spaced=(r"(?:this|here)(?: assistant| chatbot| ai)? is|hier ist|c'est|aqui é|это"))
"""A model may introduce itself so, or something else be shown."""

SUBJECT = Cue(
    spaced=(r"मैं|मुझे|আমি|আমাকে|میں|مجھے"),
    unspaced=(r"(?:私|僕|わたし|俺)(?:は|を)|저는|나는|저를|나를|제가|내가"),
)
"""Who speaks, in languages in which the verb comes last."""

COPULA = (
    r"입니다|이에요|예요|라고|이라고|です|だよ|と申し|といい|と言|と呼|という"
    r"| ?हूँ| ?हूं| ?है| ہوں| ہے|[।.,،!]|$"
)
"""After a name in such a language: it is what somebody is, or is called."""

ME = Cue(
    spaced=(
        r"(?:(?:,|has|have|who|that|which|team|people|folks) ){0,3}(?:trained|created|built|developed"
        r"|designed|programmed|engineered|(?:fine[- ])?tuned|named) me\b"
        r"(?! (?:an?|the|some)\b)|(?:who |that )?made me(?= ?(?:[,;:)]|$|to (?:help|be|assist)))|(?:did(?: not|n't) )?(?:train|create|build|develop|design) me\b"
        r"|(?:'s)? ?models?,? (?:including|like) me\b|you(?: a|')re (?:talking|speaking|chatting) (?:to|with)"
        r"|(?:is|was|are) (?:my|the one who \w+ my) (?:creator|maker|developer|trainer|home)"
        r"|'?s? ?(?:usage |content |safety |use )?(?:polic\w+|guidelines|rules|terms)\b.{0,40}"
        r"\b(?:me|i|my)\b"
        r"|ha(?:t|ben) mich\b(?=.{0,30}(?:trainier|entwickel|schaff|gebau|program))"
        r"|(?:qui )?m'(?:a|ont) (?:créé|entraîné|développé|conçu|formé)\w*"
        r"|me (?:creó|desarrolló|entrenó|hizo|diseñó|programó|criou|desenvolveu|treinou|fez)"
        r"|mi ha (?:creato|addestrato|sviluppato)"
        r"|(?:создал|обучил|разработал)\w* меня|меня (?:создал|обучил|разработал)\w*"
        r"|(?:yang )?(?:menciptakan|melatih|mengembangkan|membuat) saya"
        r"|\S{0,12} ?(?:بتدريبي|بتطويري|بإنشائي|بتصميمي)"
        r"|ने मुझे|আমাকে|نے مجھے"
    ),
    unspaced=(
        r"[\u4e00-\u9fff ]{0,6}(?:开发|训练|创造|创建|研发|打造|设计|推出|制作|发明)了?我(?![们的])"
        r"|(?:が|は|に|によって)?私を(?:開発|作|訓練)|(?:이|가|에서)? ?(?:저|나)를 (?:만들|개발|훈련|학습)"
    ),
)
"""After a name: who bears it made the one who speaks, or rules it."""

HERE = (
    r",? here(?: ?[,.!:;-]| to |$)|,? speaking\b|,? at your (?:service|disposal)|,? reporting"
    r"|,? says? (?:hello|hi)\b|,? (?:was|were) [\w -]{0,12}for this|,? ready to (?:help|answer|assist)"
    r"| style, let me|al habla|a (?:tu|su) servicio|à (?:votre|ton) service| meldet sich"
    r"|zu (?:ihren|deinen) diensten|ao seu dispor| на связи|к вашим услугам|为[您你]服务|siap membantu"
    r"| في خدمتك|といいます|と申します|と呼んで|라고 (?:합니다|불러)"
)
"""After a name: who bears it speaks."""

STRANGER = (
    r"\b(?:I am|I'm|As|Ich bin|Als|Je suis|En tant que?|Soy|Como|Sou|Saya(?: adalah)?)"
    r"(?: (?:just|only|an?|your|the|ein\w*|une?|un[ao]?|uma?))*(?: (?!sure|glad|told)[\w-]+){0,3}?"
    r" (?:AI|[Mm]od[eè]l[eo]?|assistant|chatbot|Sprachmodell|KI|IA|asistente|assistente|asisten)\b"
    r"(?:(?! I )[^.!?\n]){0,30}?\b(?:(?:made|built|created|trained|developed|designed|entraîn\w+|"
    r"développ\w+|créée?|conçue?|entrenad[oa]|desarrollad[oa]|cread[oa]|treinad[oa]|desenvolvid[oa]|"
    r"criad[oa]|dikembangkan|dilatih|dibuat) (?:by|par|por|pel[oa]|oleh)|das von)"
    r" (?:the )?(?P<maker>[A-Z]\w+)(?= |[.,;!]|$)"
    r"|\b(?:I am|I'm|[Mm]y name is) (?P<name>[A-Z][\w-]+(?: [A-Z0-9][\w.-]*)*)(?:,| and I am) "
    r"(?:an?|your) (?:\w+ ){0,3}(?:AI|language model|chatbot|virtual assistant)\b(?! \w+(?:er|or|ist)\b)"
    r"|我(?:是|叫)[^。，,\n]{0,12}[，,]?(?:是)?(?:一[个款])?由(?P<by>[^。，,\n]{1,15}?)(?:开发|训练|研发|打造|创建)的"
    r"[^。，,\n]{0,8}(?:助手|模型|AI|智能)"
)
"""A model of a name that nobody knows, or of such a maker. The case of letters counts."""

SELF = (
    r"^, (?:no |nao |te |lhe )?[a-z]{2,}o\b|\b(?:i|i'm|i've|i'd|i'll|my|me|je|j'|mon|ma|mes|ich|mir|mich|mein\w*|yo|mis?|tengo|puedo|soy"
    r"|estoy|debo|eu|meus?|minhas?|tenho|posso|sou|estou|devo|io|mio|mia|ho|sono|я|мой|моя|мои|мне"
    r"|меня|могу|имею|saya|aku)\b|我|私|僕|저|मैं|मेर|मुझ|আমি|আমার|আমাকে|أنا|أملك|يمكنني|أستطيع|لدي|میں|میر"
)
"""Somebody speaks of himself."""

WHO = (
    r"\bwho (?:are|made|built|created|trained|developed|designed|owns) you"
    r"|\byour (?:\w+ )?(?:name|creators?|makers?|developers?|model)\b"
    r"|\b(?:which|what)\b.{0,30}\b(?:are|made|built|created|trained|developed) you"
    r"|(?:which|what) (?:ai|model|llm|language model)|wer bist du|wer hat dich|qui es-tu|qui êtes-vous"
    r"|qui t'a|quién eres|quién te|quem é você|quem te|кто ты|кто вы|кто тебя|siapa (?:kamu|anda)"
    r"|你是谁|你是什么|谁(?:开发|训练|创造)了你|あなたは誰|너는 누구|누구(?:세요|니)|तुम कौन|आप कौन|তুমি কে|আপনি কে"
    r"|من أنت"
)
"""A prompt that asks the model who it is."""

ABOUT_AI = (
    r"\b(?:a\.?i\.?|llms?|gpts?|chat ?bots?|models?|machine learning|neural|artificial intelligence"
    r"|ki|ias?|sprachmodelle?\w*|modelos?|modèles?|ии|нейросет\w*|чат-бот\w*|модел\w*)\b"
    r"|人工智能|模型|机器人|モデル|チャットボット|人工知能|챗봇|모델|인공지능|चैटबॉट|मॉडल|এআই|চ্যাটবট|মডেল|ذكاء"
    r"|الدردشة|نموذج"
)
"""A prompt that is about models, so that a reply may name some."""

ROLES = (
    "model* llm* lm ai assistant* chatbot* bot chat agent system intelligence "
    "asistente assistente ia inteligencia sprachmodell* ki assistent* intelligenz modele* "
    "модел* нейросет* ассистент* помощник* помощниц* ии чат бот* asisten kecerdasan "
    "نموذج* النموذج كنموذج مساعد* المساعد ذكاء الذكاء ماڈل اسسٹنٹ "
    "मॉडल सहायक* एआई चैटबॉट মডেল* সহায়ক* সহকারী এআই চ্যাটবট "
    "模型 助手 助理 人工智能 机器人 智能体 モデル アシスタント 人工知能 ボット 모델* 인공지능* 어시스턴트* 비서* 챗봇*"
)
"""What a model is."""

MADE = (
    "made built create* trained developed designed released produced engineered programmed tuned "
    "finetuned generated launched powered maintained written updated collected curated "
    "entwickel* trainier* erstell* erschaffen geschaffen gebaut programmier* "
    "cree* entrain* developp* concu* form* cread* entrenad* desarrollad* disenad* hech* programad* "
    "criad* treinad* desenvolvid* feit* projetad* creat* addestrat* sviluppat* "
    "создан* создал* обучен* обучил* разработан* разработал* сделан* натренирован* "
    "dikembangkan dilatih dibuat diciptakan dirancang buatan "
    "طور* درب* صنع* صمم* انشا* تطوير* تدريب* تصميم* المطور* المدرب* تیار تربیت بنایا بنا "
    "विकसित प्रशिक्षित प्रशिक्षण बनाया बनाई बना निर्मित প্রশিক্ষণ তৈরি প্রশিক্ষিত উন্নত নির্মিত "
    "开发 训练 发明 研发 创建 创造 打造 推出 构建 设计 提供 出品 制作 作品 "
    "開発 学習 訓練 トレーニング 作成 作ら 作っ 作り 개발* 훈련* 학습* 만든* 만들* 제작*"
)
"""How a model came about."""

GLUE = (
    "a an the one this it that which who s me us our your my its by from of at with in on to as and or "
    "is was be been are were has had comes large small big language languages multimodal open source "
    "all other every any artificial conversational helpful virtual digital personal friendly generative neural network "
    "transformer text based called named known version family families series line member part latest "
    "new instance variant descendant architecture weight weights knowledge data company parent team "
    "teams people folks researchers engineers scientists lab labs research giant firm startup chinese "
    "french american european indian korean pre pretrained fully free only just also simply really "
    "actually indeed currently technically officially proudly running set up out under hood existence "
    "happy glad here there hi hello hey sure yes well greetings sir madam "
    "ein eine einen einem einer der die das den dem von vom bei durch aus fur und ist grosses grosse "
    "grosser kleines offenes kunstliche namens name heisst reihe familie firma team unternehmen wurde "
    "werde werden hallo gestatten "
    "un une le la les l d des du de par chez sur qui est et en j je c ce que langage langue linguistique "
    "grand grande petit artificielle nomme nommee appelle base basee equipe societe entreprise famille "
    "gamme bonjour "
    "una unos el los las del por con para y es como mi no lenguaje linguistico linguistica gran "
    "inteligente artificial llamado llamada basado basada equipo empresa compania nombre familia serie "
    "entrenamiento cargo hola "
    "o os um uma do da dos das pelo pela pelos pelas na ao e linguagem chamado chamada baseado baseada "
    "equipe nome ola il lo gli uno dal dalla di linguaggio chiamato azienda "
    "это был была были является от из по на и в основе базе большая большой языковая языковой языковую "
    "искусственный интеллект интеллектом виртуальный компания компании компанией команда командой "
    "разработчики имени названием семейства семейство "
    "yang oleh dari di pada dengan adalah sebagai bahasa besar bernama dikenal perusahaan tim sebuah "
    "seorang berbasis halo "
    "من قبل بواسطة على تم هو هي و قامت لقد لغوي لغويا لغة كبير ذكي اصطناعي شركة الشركة فريق تابع يدعى "
    "اسمه مدعوم ایک بڑا زبان کا کی کے کمپنی نے ہوں ہے سے مصنوعی ذہانت "
    "द्वारा एक बड़ा बड़े भाषा का की के को में पर और ने जिसे रूप हुआ है हूँ गया किया कंपनी टीम कृत्रिम बुद्धिमत्ता "
    "नाम आधारित नमस्ते দ্বারা একটি একজন বড় বৃহৎ ভাষা এর যা কর্তৃক করা করেছে কৃত্রিম বুদ্ধিমত্তা কোম্পানি "
    "কোম্পানির নাম নমস্কার "
    "由 的 是 被 于 用 在 与 和 所 也 就 一 个 一个 一款 一种 款 大 大型 大规模 超大 超大规模 语言 公司 团队 旗下 "
    "集团 科技 有限 有限公司 实验室 基于 来自 名为 名叫 名字 叫做 叫 智能 人工 对话 多模态 开源 中文 自主 知识 增强 "
    "您好 你好 很 高兴 "
    "は が に によって により で の と という いう な た れ さ し て い こ です 、 大規模 大型 言語 会社 株式会社 社 名前 "
    "대규모 대형 거대 언어 회사 회사의 팀 팀이 의해 기반 기반의 안녕하세요 안녕 하는 바로 입니다 이라는 라는 한"
)
"""Whatever else such a sentence is made of."""

AGENTS = "by at from von bei vom durch por pelo pela da par chez de от в oleh 由 被 によって द्वारा দ্বারা من بواسطة قبل"
"""Before the one who did something."""

NEVER = (
    "not never isn't nicht kein keine pas jamais non nao nunca не нет bukan tidak নই নয় नहीं 不是 ليس لست "
    "user fan customer client employee engineer researcher scientist professor teacher student intern "
    "manager expert designer friend admirer lover owner enthusiast certified trainer partner season "
    "fluent familiar"
)
"""Where one of these stands between, something else is said."""

FOLK = (
    "engineer* researcher* scientist* employee* user* fan fans customer* office* veteran* account*"
)
"""Directly after a maker, these are meant and not it."""
