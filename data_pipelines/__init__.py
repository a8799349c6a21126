"""Video, recordings, episodes, and the engines that process them at scale."""
