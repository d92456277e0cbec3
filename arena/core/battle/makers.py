"""Today's families of language models and who makes them, as they are written in many scripts.

Words separated by spaces, `_` for a space or none; grouped by how sure it is that a model is
meant. It does not know what is said about them.
"""

from __future__ import annotations

RARE = (
    "qwen qwq qvq mixtral ministral magistral mathstral codestral devstral pixtral voxtral mistralai "
    "smollm smolvlm tinyllama codellama openllama llamaguard wizardlm openhermes openchat stablelm "
    "stablecode internlm internvl baichuan chatglm codegeex minicpm nemotron minitron olmo olmoe molmo "
    "exaone hyperclova kanana dbrx jamba codegemma shieldgemma medgemma starcoder eurollm teuken "
    "pharia vikhr plamo skywork longcat bloomz wizardcoder xgen"
)
"""Hardly anybody speaks of these but where models are the subject."""

FAMOUS = (
    "chat_gpt gpt deep_seek tongyi hunyuan doubao gigachat yandexgpt minimax glm wenxin yuanbao qianwen "
    "zhipuqingyan bharatgpt krutrim allam meta_ai google_ai google_assistant gpt_oss"
)
"""In everybody's mouth, and yet nothing else."""

WORDS = (
    "llama mistral claude gemini gemma grok phi falcon granite zephyr bard copilot command_r command_a "
    "siri alexa bixby cortana jais apertus le_chat lfm pangu mimo inflection vicuna alpaca"
)
"""Words, people or stars too: a model is meant only where they are written as a name."""

WEAK = (
    "aya kimi ernie yi nova titan orca solar seed hermes dolphin koala palm arctic spark tulu sonar sarvam "
    "step luminous sailor trinity ling nemo"
)
"""Words and people's names: a model is meant only where more says so."""

MAKERS = (
    "open_ai anthropic google deep_mind google_deep_mind microsoft microsoft_research alibaba "
    "alibaba_cloud aliyun x_ai mistral_ai moonshot_ai moonshot zhipu zhipu_ai z_ai 01_ai "
    "technology_innovation_institute tii cohere ibm nvidia hugging_face allen_institute ai2 allen_ai "
    "baidu tencent byte_dance stability_ai lg_ai_research lg upstage sarvam_ai liquid_ai "
    "shanghai_ai_lab shanghai_ai_laboratory meta facebook apple amazon samsung huawei xiaomi meituan "
    "sber sberbank yandex naver kakao databricks salesforce snowflake ai21 aleph_alpha nous_research "
    "reka inflection_ai perplexity eleuther_ai bigscience lmsys tsinghua_university baai g42 arcee "
    "sakana_ai preferred_networks rakuten sk_telecom iflytek sensetime stepfun kunlun openbmb ant_group"
)

FAMILIES_ELSEWHERE = (
    "通义千问 千问 文心一言 文心 混元 豆包 智谱清言 清言 书生·浦语 书生浦语 盘古 百川 元宝 星火认知 "
    "чатгпт чат гпт квен дипсик джемини гигачат яндексгпт "
    "تشات_جي_بي_تي شات_جي_بي_تي جيميني ديب_سيك كوين جروك چیٹ_جی_پی_ٹی جیمنی ڈیپ_سیک "
    "चैट_जीपीटी चैटजीपीटी जेमिनी डीपसीक क्वेन ग्रोक চ্যাটজিপিটি জেমিনি ডিপসিক কোয়েন গ্রক "
    "チャットジーピーティー ジェミニ クロード ディープシーク グロック 챗gpt 챗지피티 제미나이 클로드 딥시크 큐웬 "
    "하이퍼클로바x 하이퍼클로바 엑사원 그록"
)
WORDS_ELSEWHERE = (
    "лама ллама клод мистраль грок алиса كلود لاما ميسترال فالكون کلاڈ क्लॉड क्लाउड लामा मिस्ट्रल ফ্যালকন "
    "ক্লড লামা মিস্ট্রাল ラマ ミストラル 라마 미스트랄 솔라"
)
MAKERS_ELSEWHERE = (
    "阿里云 阿里巴巴 阿里 达摩院 谷歌 微软 百度 腾讯 字节跳动 深度求索 月之暗面 智谱 上海人工智能实验室 科大讯飞 零一万物 "
    "阶跃星辰 华为 商汤 小米 英伟达 脸书 亚马逊 гугл майкрософт опенаи антропик алибаб сбер яндекс "
    "جوجل غوغل قوقل مايكروسوفت ميتا أوبن_إيه_آي أوبن_أي_آي أنثروبيك علي_بابا معهد_الابتكار_التكنولوجي گوگل "
    "مائیکروسافٹ میٹا اوپن_اے_آئی علی_بابا गूगल माइक्रोसॉफ्ट मेटा ओपनएआई ओपन_एआई एंथ्रोपिक अलीबाबा सर्वम গুগল "
    "মাইক্রোসফট মেটা ওপেনএআই অ্যানথ্রোপিক আলিবাবা グーグル マイクロソフト メタ オープンエーアイ アンソロピック "
    "アリババクラウド アリババ エヌビディア 구글 마이크로소프트 메타 오픈에이아이 오픈ai 앤트로픽 알리바바 네이버 카카오 업스테이지 "
    "엘지"
)
VARIANTS = (
    "mini small medium large nano pro flash ultra lite max plus turbo instruct chat coder code vision "
    "sonnet opus haiku nemo scout maverick guard preview base it oss thinking expanse mamba edge"
)
"""What may stand after a family's name and belongs to it."""

GENERIC = (
    VARIANTS
    + " latest gguf mlx awq gptq fp16 bf16 text embed reasoning distill abliterated uncensored "
    "model models hf com co main super tiny big new test demo english german french multilingual the and"
)
"""Parts of a model's name that say nothing of who it is."""
